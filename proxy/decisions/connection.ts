import type { Socket } from 'node:net'
import {
  agentService, decode, encode, readFromAgent, writeToAgent, type AgentReport, type ConfigProblem, type DescribeResponse, type Event, type Reply,
} from '../../proto/codec/index.ts'
import { Numbered } from '../../proto/numbered.ts'
import { errorCode, errorName } from '../http2/index.ts'
import { Fault } from '../pipeline/faults.ts'
import type { Asker } from './admission.ts'
import { badReply, gone, openStream, type GrpcStream } from './grpc-stream.ts'
import { configureAgent, describeAgent, Incompatible } from './handshake.ts'
import { pollHealth } from './health-poll.ts'
import { watchHealth } from './health-watch.ts'
import { keepalive, pulseOf } from './keepalive.ts'
import { Outbox } from './outbox.ts'
import { watchReports } from './report-watch.ts'
import { AgentSession, whyOf } from './session.ts'
import type { AgentTarget, AgentConfiguration, ProtocolFault, Settings } from './settings.ts'

const mostWithdrawn = 1_000

/** For an agent to end its side of a stream on which nothing is open any more. */
const partingMs = 1_000

/** 'fading': it says that it is about to stop, and takes new exchanges only where there is nobody else. */
export type ConnectionState = 'connecting' | 'ready' | 'stalled' | 'not-serving' | 'refused' | 'incompatible' | 'fading' | 'retiring' | 'closed'

export interface ConnectionHooks {
  /** What to configure the agent with, at the time it is asked. */
  configuration (): AgentConfiguration
  onChange (): void
  onReport (report: AgentReport): void
  /** Once, when it is of no use any more. */
  onLost (fault: Fault): void
}

/** One end of an exchange on a connection. */
export interface Line {
  onReply (reply: Reply): void
  onLost (fault: Fault): void
}

/** One HTTP/2 connection to an agent: Describe, Configure, then one stream for all its exchanges. Lives once. */
export class AgentConnection {
  state: ConnectionState = 'connecting'
  describe: DescribeResponse | undefined
  refusals: readonly ConfigProblem[] = []
  why: string | undefined
  configVersion = ''
  /** The version it was asked to take last, whatever it said. */
  #offeredVersion: string | undefined
  #catchingUp = false
  /** Replies that fit nothing. */
  strays = 0
  /** Whether anything valid was ever answered on the stream. */
  proven = false
  bytesReceived = 0
  readonly lines = new Numbered<Line>()
  /** The last exchanges that ended with questions taken back, and how many: an answer that crossed that on its way is nobody's mistake. */
  readonly #withdrawn = new Map<number, number>()
  readonly #settings: Settings
  readonly #hooks: ConnectionHooks
  readonly #session: AgentSession
  readonly #watch: ReturnType<typeof keepalive>
  readonly #outbox: Outbox
  #stream: GrpcStream | undefined
  #serving = true
  /** It was ready once. */
  #served = false
  /** Why it is not well, by the checks that were asked for; `undefined`: it is. */
  #unwell: string | undefined
  #stopPolling = (): void => {}
  /** The handshake is over. */
  #met = false
  #lastExchange = 0
  #connectTimer: NodeJS.Timeout | undefined
  /** Called when it is over, once it has begun to end in order. */
  #parted: (() => void)[] | undefined
  #partTimer: NodeJS.Timeout | undefined
  #standInTimer: NodeJS.Timeout | undefined

  constructor (settings: Settings, to: AgentTarget | { readonly socket: Socket }, hooks: ConnectionHooks) {
    this.#settings = settings
    this.#hooks = hooks
    this.#outbox = new Outbox({
      onFilled: (urgent) => this.#stream?.wake(urgent),
      onOverfull: () => this.lose(gone('the agent does not read what it is sent')),
    })
    this.#session = new AgentSession(to, {
      onConnect: () => {
        clearTimeout(this.#connectTimer)
        this.#met = true
        void this.#serve()
      },
      onHeard: () => this.#watch.heard(),
      onGoAway: (code) => this.#retire(code),
      onClosed: (error) => this.lose(gone(error === undefined ? 'the agent closed the connection' : whyOf(error))),
    })
    this.#watch = keepalive(pulseOf(this.#session, settings), settings, {
      onStalled: () => {
        if (this.state === 'ready' || this.state === 'not-serving') this.#become('stalled', `no sign of life in ${settings.pingTimeoutMs} ms`)
      },
      onRevived: () => { if (this.state === 'stalled') this.#resume() },
      onDead: () => this.lose(gone('the agent gives no sign of life')),
    })
    this.#connectTimer = setTimeout(() => this.lose(new Fault('AGENT_TIMEOUT', `no connection in ${settings.connectTimeoutMs} ms`)), settings.connectTimeoutMs)
  }

  get bytesSent (): number {
    return this.#outbox.sentBytes
  }

  /** The stream cannot take more now. */
  get full (): boolean {
    return this.#outbox.full
  }

  /** For bodies: `undefined` when there is room now, else a promise of whether there was before the deadline, or before the asker is stopped. */
  room (deadlineMs: number, asker: Asker): Promise<boolean> | undefined {
    return this.#outbox.room(deadlineMs, asker)
  }

  /** A number for a new exchange, never used before on this stream. */
  open (line: Line): number {
    const exchange = ++this.#lastExchange
    this.lines.set(exchange, line)
    return exchange
  }

  /** Nothing is said or awaited of an exchange any more. */
  left (exchange: number): void {
    this.lines.delete(exchange)
    this.#partWhenDone()
  }

  /** It takes new exchanges in the place of the connection that is to follow it. */
  get standsIn (): boolean {
    return this.state === 'retiring' && this.#standInTimer !== undefined
  }

  /** Another connection has taken its place, or should have by now. */
  succeeded (): void {
    clearTimeout(this.#standInTimer)
    this.#standInTimer = undefined
    this.#partWhenDone()
  }

  #partWhenDone (): void {
    if (this.state === 'retiring' && !this.standsIn && this.lines.size === 0) void this.part(gone('the agent closes the connection'))
  }

  /** Puts an event on its way. It is encoded at once: what it shows may change afterwards. */
  send (event: Event): void {
    if (this.state === 'closed') return
    // The question of the only exchange: no other will leave with it.
    this.#outbox.push(encode(writeToAgent, { events: [event] }), event.timeoutMs > 0 && this.lines.size === 1)
  }

  withdrawn (exchange: number, answers: number): void {
    if (this.#withdrawn.size >= mostWithdrawn) for (const oldest of this.#withdrawn.keys()) { this.#withdrawn.delete(oldest); break }
    this.#withdrawn.set(exchange, answers)
  }

  /** A reply of an exchange that is over. */
  #excused ({ exchange, kind }: Reply): boolean {
    // It is said whenever the agent likes, and awaited by nobody.
    if (kind === 'credit') return true
    const answers = this.#withdrawn.get(exchange)
    if (answers === undefined) return false
    // The answer itself is still to come.
    if (kind === 'more_time') return true
    if (answers > 1) this.#withdrawn.set(exchange, answers - 1)
    else this.#withdrawn.delete(exchange)
    return true
  }

  stray (kind: ProtocolFault, detail: string): void {
    this.strays++
    this.#settings.onProtocolFault(kind, detail)
  }

  /** Sends the configuration again (reload). Gives problems; rejects with a `Fault`. */
  async configure (configuration: AgentConfiguration, validateOnly: boolean): Promise<readonly ConfigProblem[]> {
    if (!validateOnly) this.#offeredVersion = configuration.version
    const problems = await configureAgent(this.#session, configuration, validateOnly, this.#settings)
    if (validateOnly || this.state === 'closed') return problems
    // An agent that keeps an earlier configuration goes on deciding with that; one that never had any cannot.
    if (problems.length === 0) this.#accept(configuration)
    else if (this.configVersion === '') this.#refuse(problems)
    return problems
  }

  /**
   * Ends it in order, once nothing is open on it: what was said last arrives, and the agent ends its side of the stream, or is not waited for any longer.
   * Resolves when it is over.
   */
  part (why: Fault): Promise<void> {
    if (this.state === 'closed' || this.#stream === undefined || this.lines.size > 0) {
      this.lose(why)
      return Promise.resolve()
    }
    if (this.#parted === undefined) {
      this.#parted = []
      this.#outbox.finish()
      this.#partTimer = setTimeout(() => this.lose(why), partingMs)
    }
    return new Promise((resolve) => { this.#parted!.push(resolve) })
  }

  /** Ends it at once; every open exchange is told. */
  lose (found: Fault): void {
    if (this.state === 'closed') return
    const fault = this.#explained(found)
    this.state = 'closed'
    this.why = fault.detail ?? fault.code
    clearTimeout(this.#connectTimer)
    clearTimeout(this.#partTimer)
    clearTimeout(this.#standInTimer)
    this.#watch.stop()
    this.#stopPolling()
    this.#outbox.close()
    this.#stream?.destroy(fault)
    this.#session.end()
    const open = this.lines.values()
    this.lines.clear()
    for (const line of open) line.onLost(fault)
    this.#hooks.onLost(fault)
    for (const done of this.#parted ?? []) done()
  }

  /** With TLS 1.3, who does not believe the proxy's certificate lets the handshake end, and then hangs up in one way or another. */
  #explained (fault: Fault): Fault {
    const { target } = this.#settings
    const secure = 'host' in target && target.tls !== undefined
    const detail = fault.detail ?? ''
    if (!secure || !this.#met || this.describe !== undefined || fault.code !== 'AGENT_STREAM_RESET' || detail.includes('certificate')) return fault
    return gone(`${detail} (right after the handshake: does it accept the certificate of the proxy?)`)
  }

  async #serve (): Promise<void> {
    try {
      this.describe = await describeAgent(this.#session, this.#settings)
      watchHealth(this.#session, agentService.name, (serving) => this.#hearHealth(serving))
      this.#pollHealth()
      watchReports(this.#session, (report) => this.#hearReport(report))
      await this.#catchUp()
    } catch (error) {
      if (error instanceof Incompatible) this.#become('incompatible', error.message)
      else this.lose(Fault.from(error))
    }
  }

  /** A reload came while it could not be asked to take another configuration. */
  get #isBehind (): boolean {
    return this.#offeredVersion !== this.#hooks.configuration().version
  }

  /** Gives it the configuration that counts, which may be another one by the time it has taken that. */
  async #catchUp (): Promise<void> {
    if (this.#catchingUp) return
    this.#catchingUp = true
    try {
      while (this.#isBehind && this.state !== 'closed') {
        const configuration = this.#hooks.configuration()
        this.#offeredVersion = configuration.version
        const problems = await configureAgent(this.#session, configuration, false, this.#settings)
        if (this.#isBehind) continue
        if (problems.length > 0) this.#refuse(problems)
        else this.#accept(configuration)
      }
    } finally {
      this.#catchingUp = false
    }
  }

  #refuse (problems: readonly ConfigProblem[]): void {
    if (this.#isEnding) return
    this.refusals = problems
    // The first for the one-line state; all of them are in `refusals`.
    this.#become('refused', `${problems[0]!.path.join(' ')}${problems[0]!.path.length > 0 ? ': ' : ''}${problems[0]!.message}`)
  }

  #accept (configuration: AgentConfiguration): void {
    if (this.state === 'closed') return
    this.refusals = []
    this.configVersion = configuration.version
    try {
      this.#stream ??= openStream(this.#session, agentService.process, this.#settings.maxMessageBytes, this.#outbox, {
        onMessage: (message) => this.#receive(message),
        onEnd: (fault) => this.lose(fault),
      })
      this.#resume()
    } catch (error) {
      this.lose(Fault.from(error))
    }
  }

  /** It finishes what it has, and whatever it says now does not change that. */
  get #isEnding (): boolean {
    return this.state === 'fading' || this.state === 'retiring'
  }

  /** In use again, unless the agent itself says that it takes nothing. */
  #resume (): void {
    if (this.#isEnding) this.#hooks.onChange()
    else if (this.#isBehind) void this.#catchUp().catch((error: unknown) => this.lose(Fault.from(error)))
    else if (!this.#serving) this.#become('not-serving', 'it says of itself that it is not serving')
    else if (this.#unwell !== undefined) this.#become('not-serving', this.#unwell)
    else {
      this.#served = true
      this.#become('ready')
    }
  }

  #hearHealth (serving: boolean): void {
    this.#serving = serving
    if (this.state === 'ready' || this.state === 'not-serving') this.#resume()
  }

  #hearReport (report: AgentReport): void {
    if (this.state === 'closed') return
    this.#hooks.onReport(report)
    // One that never served needs no successor: the next attempt would meet the same process.
    if (report.health === 'draining' && this.#served && (this.state === 'ready' || this.state === 'not-serving')) this.#become('fading', 'the agent is about to stop')
  }

  #pollHealth (): void {
    const { healthPoll } = this.#settings
    if (healthPoll === undefined) return
    this.#stopPolling = pollHealth(this.#session, agentService.name, healthPoll, (well, why) => {
      this.#unwell = well ? undefined : why
      if (this.state === 'ready' || this.state === 'not-serving') this.#resume()
    })
  }

  #receive (message: Buffer): void {
    this.bytesReceived += message.length
    let replies: readonly Reply[]
    try {
      replies = decode(readFromAgent, message).replies
    } catch (error) {
      this.stray('malformed', error instanceof Error ? error.message : String(error))
      throw badReply(error instanceof Error ? error.message : String(error))
    }
    for (const reply of replies) {
      const line = this.lines.get(reply.exchange)
      if (line !== undefined) {
        line.onReply(reply)
      } else if (reply.exchange === 0 || reply.exchange > this.#lastExchange) {
        this.stray('unknown', `a reply for exchange ${reply.exchange}, which never was`)
      } else if (!this.#excused(reply)) {
        this.stray('late', `a reply for exchange ${reply.exchange}, which is over`)
      }
    }
  }

  /**
   * GOAWAY without an error: the agent finishes what it has, because it is about to stop, or because its connections are closed at some age. New exchanges
   * need another connection. That it will stop it may have said before; otherwise this one stands in until there is another.
   */
  #retire (code: number): void {
    if (this.state === 'closed' || this.state === 'retiring') return
    if (code !== errorCode.noError || this.#stream === undefined) {
      return this.lose(gone(code === errorCode.noError ? 'the agent closes the connection' : `the agent closes the connection with ${errorName(code)}`))
    }
    if (this.state === 'ready') this.#standInTimer = setTimeout(() => this.succeeded(), this.#settings.connectTimeoutMs).unref()
    this.#become('retiring', 'the agent is closing')
    this.#partWhenDone()
  }

  #become (state: ConnectionState, why?: string): void {
    if (this.state === 'closed') return
    this.state = state
    this.why = why
    this.#hooks.onChange()
  }
}
