import { Socket } from 'node:net'
import { judgeNames } from '../../../config/schema/sensitive.ts'
import type { SentinelConfig } from '../../../config/sentinel/index.ts'
import { HeldSocket, type SocketHandle } from '../../listeners/index.ts'
import { CountReader } from '../../observe/gather.ts'
import type { RootLog } from '../../observe/log.ts'
import type { Metrics } from '../../observe/metrics.ts'
import type { Load } from '../seam.ts'
import { Worker } from '../worker.ts'
import { HeardOutbox } from './heard-outbox.ts'
import { fromPlain } from './config-transfer.ts'
import { EvidenceOutbox } from './evidence-outbox.ts'
import { plainFacts } from './facts.ts'
import { LentPlaces } from './lent-places.ts'
import { LentRates } from './lent-rates.ts'
import { LentShares, type Lender } from './lent-shares.ts'
import { AnswersOfAll } from './answers-of-all.ts'
import type { Introduction, PlainLoad, Question, Result, ToMain, ToWorker } from './messages.ts'

export interface ChildOptions {
  readonly introduction: Introduction
  readonly log: RootLog
  readonly metrics: Metrics
  readonly env: Readonly<Record<string, string | undefined>>
  /** Everything stands: memory for loading is needed no more. */
  readonly settled: () => void
  /** Calls `sent` when it has left this process, or never will. */
  readonly send: (message: ToMain, sent?: () => void) => void
  readonly leave: () => Promise<void>
}

/** What a worker has counted is with main so soon. */
const tellEveryMs = 250

/** The data path in a process of its own, behind the channel. */
export class ChildSide {
  readonly #options: ChildOptions
  readonly #worker: Worker
  readonly #shares: LentShares
  readonly #rates: LentRates
  readonly #counts: CountReader
  readonly #evidence: EvidenceOutbox
  readonly #heard: HeardOutbox
  readonly #all: AnswersOfAll
  readonly #sockets = new Map<number, HeldSocket>()
  #graceMs = 0
  #preparedLevel: Parameters<RootLog['setLevel']>[0] = 'info'
  #preparedGraceMs = 0
  #preparedRedact: SentinelConfig['observability']['redact'] = { names: [], except: [] }
  #leaving = false

  constructor (options: ChildOptions) {
    const { env, introduction: { number, workers, ticketSecret, cookieSecret }, log, metrics, send } = options
    this.#options = options
    this.#counts = new CountReader(metrics.table)
    this.#evidence = new EvidenceOutbox((message, sent) => send(message, sent))
    this.#heard = new HeardOutbox((message) => send(message))
    this.#all = new AnswersOfAll((message) => send(message))
    const lender: Lender = {
      want: (share, count, limit) => send({ from: 'want', share, count, limit }),
      owe: (share, count) => send({ from: 'owe', share, count }),
      giveBack: (share, count) => send({ from: 'giveBack', share, count }),
    }
    const places = new LentPlaces('requests', lender, workers)
    this.#shares = new LentShares(lender, workers)
    this.#rates = new LentRates((rates) => send({ from: 'rates', rates }), workers)
    this.#shares.add('requests', places)
    this.#worker = new Worker({
      log, metrics, ticketSecret: Buffer.from(ticketSecret), cookieSecret, env, among: { number, workers },
      together: { shares: this.#shares, places, rates: this.#rates },
      main: {
        retired: (generation) => send({ from: 'retired', generation }),
        evidence: (generation, entry) => this.#evidence.add(generation, entry),
        evidenceLost: (generation, count) => this.#evidence.lost(generation, count),
        agentReport: (agent, report) => send({ from: 'agentReport', agent, report }),
        agentSign: (agent, sign) => send({ from: 'agentSign', agent, sign }),
        heard: (tries) => this.#heard.add(tries),
        seen: (tail, seen, sent) => send({ from: 'seen', tail, seen }, sent),
        heardAt: (gate) => this.#heard.addGate(gate),
        answers: this.#all.answers,
        page: (name) => this.#all.page(name),
      },
    })
    log.listen((record) => this.#worker.heard(record))
    setInterval(() => this.#tell(false), tellEveryMs).unref()
  }

  take (message: Exclude<ToWorker, { to: 'begin' }>, handle: unknown): void {
    switch (message.to) {
      case 'socket':
        return void this.#sockets.set(message.socket, new HeldSocket(handle as SocketHandle, message.address)) // Sent together.
      case 'renewTickets':
        return this.#worker.renewTickets(Buffer.from(message.secret))
      case 'agentArrived':
        // Its process may have ended, or the peer have gone, on the way.
        return handle instanceof Socket ? this.#worker.agentArrived(message.listener, handle) : undefined
      case 'turnAgentsAway':
        return this.#worker.turnAgentsAway()
      case 'agentStarted':
        return this.#worker.agentStarted(message.place)
      case 'tail':
        return this.#worker.tail(message.id, message.filter)
      case 'health':
        return this.#worker.health(message.orders)
      case 'discovered':
        return this.#worker.discovered(message.key, message.targets)
      case 'told':
        return this.#all.told(message)
      case 'lent':
        return this.#shares.lent(message.share, message.count)
      case 'rates':
        return this.#rates.granted(message.grants)
      case 'answer':
        return void this.#answer(message.id, message.question)
    }
  }

  /** Main is gone. What is open may end, and nobody else comes in. */
  async orphaned (): Promise<void> {
    if (this.#leaving) return
    this.#leaving = true
    this.#options.log.error('main is gone: finishing open requests', { event: 'orphaned', code: 'INTERNAL' })
    await this.#worker.close(this.#graceMs)
    await this.#options.leave()
  }

  async #answer (id: number, question: Question): Promise<void> {
    const { send } = this.#options
    try {
      const result = await this.#do(question)
      send({ from: 'done', id, ...result === undefined ? {} : { result } }, question.ask === 'close' ? () => void this.#options.leave() : undefined)
    } catch (error) {
      send({ from: 'done', id, error: error instanceof Error ? error.message : String(error) })
    }
  }

  async #do (question: Question): Promise<Result | void> {
    switch (question.ask) {
      case 'prepare':
        return this.#prepare(question.load)
      case 'commit':
        await this.#worker.commit()
        judgeNames(this.#preparedRedact.names, this.#preparedRedact.except)
        this.#graceMs = this.#preparedGraceMs
        this.#options.log.setLevel(this.#preparedLevel)
        return this.#options.settled()
      case 'abort':
        return this.#worker.abort()
      case 'suspend':
        return this.#worker.suspend(question.sockets)
      case 'resume':
        return this.#worker.resume(this.#named(question.sockets))
      case 'reopenLogs':
        return this.#worker.reopenLogs()
      case 'close':
        this.#leaving = true
        await this.#worker.close(question.graceMs)
        this.#evidence.flush()
        this.#heard.flush()
        return this.#tell(true)
      case 'purge':
        return this.#worker.answers.purge(question.what)
      case 'kept':
        return this.#worker.answers.facts()
      case 'ping':
        return
      case 'tell':
        return this.#tell(true)
      case 'recallRate':
        return this.#rates.recall(question.limit, question.key)
      case 'recall': {
        const count = this.#shares.recall(question.share)
        if (count > 0) this.#options.send({ from: 'giveBack', share: question.share, count })
      }
    }
  }

  async #prepare ({ generation, config: plain, agents, sockets, evidence, health, discovered, agentStartMs, strict }: PlainLoad): Promise<void> {
    const config = fromPlain(plain)
    const { logging: { level }, errorLog, redact } = config.observability
    this.#preparedRedact = redact
    // Main writes it, or does not, and the error log wants to know of it in any case.
    this.#preparedLevel = errorLog?.level === 'warn' && (level === 'error' || level === 'fatal') ? 'warn' : level === 'trace' ? 'debug' : level === 'fatal' ? 'error' : level
    this.#preparedGraceMs = config.system.gracefulShutdownTimeout
    const load: Load = {
      generation, config, agents, evidence, health, agentStartMs, strict, discovered: new Map(discovered),
      sockets: this.#named(sockets),
    }
    await this.#worker.prepare(load)
  }

  /** They have come before what names them. */
  #named (sockets: ReadonlyArray<readonly [string, number]>): Map<string, HeldSocket> {
    return new Map(sockets.map(([name, socket]) => [name, this.#sockets.get(socket)!]))
  }

  #tell (told: boolean): void {
    const { metrics, send } = this.#options
    metrics.refresh(told)
    send({ from: 'counts', counts: this.#counts.take(), facts: plainFacts(this.#worker.facts()) })
  }
}
