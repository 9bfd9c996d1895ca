import type { Socket } from 'node:net'
import type { Log } from '../../observe/log.ts'
import { openLineSink, type LineSink } from '../../observe/line-sink.ts'
import { Gathered } from '../../observe/gather.ts'
import { compileTailFilter } from '../../observe/tail.ts'
import type { TailFilter } from '../../pipeline/tail-filter.ts'
import type { Metrics } from '../../observe/metrics.ts'
import { sumOfFacts, type KeptAnswers, type KeptFacts, type PurgeOutcome } from '../../pipeline/kept-answers.ts'
import type { HeldSocket } from '../../listeners/index.ts'
import { socketKey } from '../listener-settings.ts'
import type { HealthOrders, TargetSettings } from '../../upstreams/index.ts'
import { partOf } from '../../upstreams/health/evidence.ts'
import type { AgentPlace, DataPath, Load, MainSide, PathFacts } from '../seam.ts'
import { toPlain, type PlainConfig } from './config-transfer.ts'
import { gatherFacts } from './facts.ts'
import { Ledger, type Borrower } from './ledger.ts'
import type { AskAll, PlainFacts, Result, ToMain } from './messages.ts'
import { RateDesk, type RateBorrower } from './rate-desk.ts'
import type { RateGrant } from './rate-messages.ts'
import type { WorkerProcess } from './worker-process.ts'
import { WorkerSlot } from './worker-slot.ts'

export interface PoolOptions {
  readonly workers: number
  readonly main: MainSide
  readonly log: Log
  readonly metrics: Metrics
  readonly ticketSecret: Buffer
  readonly cookieSecret: string
  /** What is known of targets now. */
  readonly orders: () => HealthOrders
}

/** A worker that is busy for longer is told of as it was. */
const refreshMs = 40
const recallMs = 250
/** A reload waits so long for workers that are being started when it comes. */
const startMs = 2_000
const stdoutBytes = 4 * 1024 * 1024

/** The data path as several processes. */
export class WorkerPool implements DataPath {
  readonly #options: PoolOptions
  readonly #slots: readonly WorkerSlot[]
  readonly #ledger = new Ledger<SlotBorrower>()
  readonly #rates: RateDesk
  readonly #gathered = new Gathered()
  readonly #facts = new Map<number, PlainFacts>()
  readonly #stdout: LineSink
  #stderr: LineSink | undefined
  /** Those who look on now: a process that is started has to know. */
  readonly #tails = new Map<number, TailFilter>()
  #ticketSecret: Buffer
  #arrived = 0
  /** Not before there is something to prepare: the process may become another user until then. */
  #started = false
  /** Found since what runs was made ready: those that are started from now on have to know. */
  readonly #discovered = new Map<string, readonly TargetSettings[]>()
  /** What runs. */
  #load: Load | undefined
  #prepared: { readonly load: Load, readonly slots: readonly WorkerSlot[] } | undefined
  /** Sent to each worker: made once. */
  #plain: { readonly of: Load['config'], readonly plain: PlainConfig } | undefined

  constructor (options: PoolOptions) {
    const { workers, metrics, ticketSecret } = options
    this.#options = options
    this.#ticketSecret = ticketSecret
    // Whole lines of several writers would be mixed in a pipe: one process writes them all.
    this.#stdout = this.#standard('stdout')
    this.#rates = new RateDesk(workers)
    metrics.join(this.#gathered)
    metrics.onScrape((table) => this.#rates.tell(table))
    metrics.onScrape((table) => table.workers.cell().set(this.#slots.filter(({ serving }) => serving).length))
    this.#slots = Array.from({ length: workers }, (_, i) => this.#slot(i + 1))
  }

  async prepare (load: Load): Promise<void> {
    // Those that are being replaced take over by themselves what the others run then.
    if (!this.#started) for (const slot of this.#slots) slot.start()
    this.#started = true
    const slots = this.#load === undefined ? this.#slots : this.#slots.filter(({ serving }) => serving)
    const outcomes = await Promise.allSettled(slots.map((slot) => slot.prepare(load)))
    const failed = outcomes.find((outcome) => outcome.status === 'rejected')
    if (failed !== undefined) {
      await this.#abort(load, slots)
      throw failed.reason
    }
    this.#prepared = { load, slots }
  }

  async commit (): Promise<void> {
    const { load, slots } = this.#prepared!
    this.#prepared = undefined
    const old = this.#load
    this.#load = load
    const others = this.#slots.filter((slot) => !slots.includes(slot)).map((slot) => slot.catchUp())
    await Promise.all(slots.map((slot) => slot.commit(load)))
    await within(startMs, Promise.all(others))
    if (old !== undefined) this.#tellRetired([old.generation])
  }

  async abort (): Promise<void> {
    const prepared = this.#prepared
    this.#prepared = undefined
    if (prepared !== undefined) await this.#abort(prepared.load, prepared.slots)
  }

  async suspend (keys: readonly string[]): Promise<void> {
    await Promise.all(this.#slots.map((slot) => slot.ask({ ask: 'suspend', sockets: keys })))
  }

  async resume (sockets: ReadonlyMap<string, HeldSocket>): Promise<void> {
    const load = this.#load
    if (load === undefined) return
    // Those that are started from now on get the new ones as well.
    const current = load.config.listeners.map((listener) => [listener.id, sockets.get(socketKey(listener)) ?? load.sockets.get(listener.id)!] as const)
    this.#load = { ...load, sockets: new Map(current) }
    await Promise.all(this.#slots.map((slot) => slot.resume(sockets)))
  }

  async reopenLogs (): Promise<void> {
    await Promise.all(this.#slots.map((slot) => slot.ask({ ask: 'reopenLogs' })))
  }

  renewTickets (secret: Buffer): void {
    this.#ticketSecret = secret
    for (const slot of this.#slots) slot.tell({ to: 'renewTickets', secret })
  }

  agentStarted (place: AgentPlace): void {
    for (const slot of this.#slots) slot.tell({ to: 'agentStarted', place })
  }

  /** One after the other: an agent that has connected as often as there are workers has met all of them. */
  agentArrived (listener: string, socket: Socket): void {
    // Before the first of all configurations is served, agents are waited for; and a worker in the place of another has them before it serves.
    const able = this.#load === undefined ? this.#slots : this.#slots.filter(({ serving, comes }) => serving || comes)
    const slot = able[this.#arrived++ % able.length]
    if (slot === undefined) socket.destroy()
    else slot.hand({ to: 'agentArrived', listener }, socket)
  }

  turnAgentsAway (): void {
    for (const slot of this.#slots) slot.tell({ to: 'turnAgentsAway' })
  }

  health (orders: HealthOrders): void {
    for (const slot of this.#slots) slot.tell({ to: 'health', orders: this.#partOf(orders, slot.number) })
  }

  discovered (key: string, targets: readonly TargetSettings[]): void {
    this.#discovered.set(key, targets)
    for (const slot of this.#slots) slot.tell({ to: 'discovered', key, targets })
  }

  tail (id: number, filter: TailFilter | undefined): void {
    if (filter === undefined) this.#tails.delete(id)
    else {
      compileTailFilter(filter)
      this.#tails.set(id, filter)
    }
    for (const slot of this.#slots) slot.tell({ to: 'tail', id, ...filter === undefined ? {} : { filter } })
  }

  facts (): PathFacts {
    const workers = this.#slots.map(({ number, pid = null, serving }) => ({
      number, pid, state: serving ? 'serving' as const : 'starting' as const,
      connections: (this.#facts.get(number)?.connections ?? []).reduce((sum, [, count]) => sum + count, 0),
    }))
    return { ...gatherFacts([...this.#facts.values()]), workers }
  }

  readonly answers: KeptAnswers = {
    purge: async (what) => {
      const outcomes = await this.#askAll({ ask: 'purge', what }) as Array<PurgeOutcome | undefined> // What this question comes to.
      return { purged: outcomes.reduce((sum, outcome) => sum + (outcome?.purged ?? 0), 0) }
    },
    facts: async () => {
      const facts = await this.#askAll({ ask: 'kept' }) as Array<KeptFacts | undefined> // What this question comes to.
      return sumOfFacts(facts.filter((one) => one !== undefined))
    },
  }

  #askAll (question: Exclude<AskAll, { ask: 'page' }>): Promise<Array<Result | undefined>> {
    return Promise.all(this.#slots.map((slot) => slot.ask(question)))
  }

  /** One of them wants it done by all, and hears what came of it. */
  async #askedBy (slot: WorkerSlot, { id, question }: Extract<ToMain, { from: 'askAll' }>): Promise<void> {
    try {
      slot.tell({ to: 'told', id, result: await this.#answerTo(question) })
    } catch (error) {
      slot.tell({ to: 'told', id, error: error instanceof Error ? error.message : String(error) })
    }
  }

  #answerTo (question: AskAll): Promise<Result> {
    const { main } = this.#options
    switch (question.ask) {
      case 'purge': return main.answers.purge(question.what)
      case 'kept': return main.answers.facts()
      case 'page': return main.page(question.name)
    }
  }

  async refresh (): Promise<void> {
    const all = Promise.all(this.#slots.filter(({ serving }) => serving).map((slot) => slot.ask({ ask: 'tell' })))
    await within(refreshMs, all)
  }

  async close (graceMs: number): Promise<void> {
    await Promise.all(this.#slots.map((slot) => this.#load === undefined ? slot.stop(0) : slot.stop(graceMs)))
    await Promise.all([this.#stdout.close(), this.#stderr?.close()])
  }

  #standard (to: 'stdout' | 'stderr'): LineSink {
    const { log, metrics } = this.#options
    return openLineSink({
      to, maxBufferBytes: stdoutBytes,
      onTrouble: (trouble) => log.error('the access-log loses lines', { component: 'access-log', ...trouble }),
      onLost: () => metrics.table.logLinesLost.cell('access-log').add(),
    })
  }

  #slot (number: number): WorkerSlot {
    const { workers, log, metrics, cookieSecret } = this.#options
    let borrower = new SlotBorrower(() => slot)
    const slot: WorkerSlot = new WorkerSlot(() => ({ number, workers, ticketSecret: this.#ticketSecret, cookieSecret }), log, {
      wanted: () => this.#load,
      send: (process, load) => this.#send(process, load, number),
      output: (lines) => void (this.#load?.config.observability.accessLog.file === 'stderr' ? this.#stderr ??= this.#standard('stderr') : this.#stdout).write(lines),
      message: (message) => this.#take(slot, borrower, message),
      // Agents that wait for a place elsewhere come again at once, and get to it.
      comes: () => { for (const other of this.#slots) if (other !== slot) other.tell({ to: 'turnAgentsAway' }) },
      unused: (generation) => this.#tellRetired([generation]),
      gone: (reason, generations) => {
        this.#facts.delete(number)
        this.#gathered.forget(number)
        borrower.ended = true
        this.#ledger.forget(borrower)
        this.#rates.forget(borrower)
        borrower = new SlotBorrower(() => slot)
        metrics.table.workerRestarts.cell(reason).add()
        this.#tellRetired(generations)
      },
    })
    return slot
  }

  #take (slot: WorkerSlot, borrower: SlotBorrower, message: Exclude<ToMain, { from: 'done' | 'loaded' }>): void {
    const { main } = this.#options
    switch (message.from) {
      case 'retired':
        slot.retired(message.generation)
        return this.#tellRetired([message.generation])
      case 'evidence':
        for (const entry of message.entries) main.evidence(message.generation, entry)
        if (message.dropped > 0) main.evidenceLost(message.generation, message.dropped)
        return
      case 'heard':
        for (const evidence of message.tries) main.heard(evidence)
        for (const evidence of message.gates) main.heardAt(evidence)
        return
      case 'seen':
        return main.seen(message.tail, message.seen, () => {})
      case 'counts':
        this.#gathered.add(slot.number, message.counts)
        this.#facts.set(slot.number, message.facts)
        return
      case 'agentReport':
        return main.agentReport(message.agent, message.report)
      case 'agentSign':
        return main.agentSign(message.agent, message.sign)
      case 'askAll':
        return void this.#askedBy(slot, message)
      case 'want':
        return void this.#lend(slot, borrower, message)
      case 'owe':
        return this.#ledger.owe(borrower, message.share, message.count)
      case 'rates':
        return this.#rates.take(borrower, message.rates)
      case 'giveBack':
        return this.#ledger.giveBack(borrower, message.share, message.count)
    }
  }

  async #lend (slot: WorkerSlot, borrower: SlotBorrower, { share, count, limit }: Extract<ToMain, { from: 'want' }>): Promise<void> {
    const lent = await this.#ledger.borrow(borrower, share, count, limit)
    if (!borrower.ended) slot.tell({ to: 'lent', share, count: lent })
  }

  /** Sockets first: what names them comes behind. */
  async #send (process: WorkerProcess, load: Load, worker: number): Promise<void> {
    const { generation, config, agents, sockets, evidence, agentStartMs, strict } = load
    if (this.#plain?.of !== config) this.#plain = { of: config, plain: toPlain(config) }
    const { plain } = this.#plain
    const numbers = await process.giveAll(sockets)
    for (const [id, filter] of this.#tails) process.tell({ to: 'tail', id, filter })
    const health = this.#partOf(this.#options.orders(), worker)
    const discovered = [...new Map([...load.discovered, ...this.#discovered])]
    await process.ask({ ask: 'prepare', load: { generation, config: plain, agents, sockets: numbers, evidence, health, discovered, agentStartMs, strict } })
  }

  #partOf (orders: HealthOrders, worker: number): HealthOrders {
    return partOf(orders, worker - 1, this.#options.workers)
  }

  async #abort (load: Load, slots: readonly WorkerSlot[]): Promise<void> {
    await Promise.all(slots.map((slot) => slot.abort(load.generation)))
  }

  /** Of these generations, those that no worker uses any more. */
  #tellRetired (generations: Iterable<number>): void {
    for (const generation of generations) {
      const runs = generation === this.#load?.generation || generation === this.#prepared?.load.generation
      if (!runs && this.#slots.every((slot) => !slot.uses(generation))) this.#options.main.retired(generation)
    }
  }
}

/** One process of a slot, as somebody who borrows. */
class SlotBorrower implements Borrower, RateBorrower {
  ended = false
  readonly #slot: () => WorkerSlot

  constructor (slot: () => WorkerSlot) {
    this.#slot = slot
  }

  /** One that does not answer in time keeps what it has for now. */
  async recall (share: string): Promise<void> {
    await within(recallMs, this.#slot().ask({ ask: 'recall', share }))
  }

  async recallRate (limit: number, key: string): Promise<void> {
    await within(recallMs, this.#slot().ask({ ask: 'recallRate', limit, key }))
  }

  granted (grants: readonly RateGrant[]): void {
    if (!this.ended) this.#slot().tell({ to: 'rates', grants })
  }
}

/** When it has come, or the time is over. */
async function within (ms: number, coming: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise((resolve) => { timer = setTimeout(resolve, ms) })
  await Promise.race([coming, late]).finally(() => clearTimeout(timer))
}
