import { constants, type ClientHttp2Session } from 'node:http2'
import type { Duplex } from 'node:stream'
import {
  agentService, decode, encode, readFromAgent, writeToAgent, type AgentReport, type ConfigProblem, type DescribeResponse, type Event, type Reply,
} from '../../proto/codec/index.ts'
import { Fault } from '../pipeline/faults.ts'
import { badReply, gone, openStream, type GrpcStream } from './grpc-stream.ts'
import { configureAgent, describeAgent, Incompatible } from './handshake.ts'
import { pollHealth } from './health-poll.ts'
import { watchHealth } from './health-watch.ts'
import { keepalive } from './keepalive.ts'
import { Outbox } from './outbox.ts'
import { watchReports } from './report-watch.ts'
import { endSession, openSession, whyOf } from './session.ts'
import type { AgentTarget, AgentConfiguration, ProtocolFault, Settings } from './settings.ts'

/** Window for what the agent sends on all streams together; see `openSession` for one stream. */
const connectionWindowBytes = 8 * 1024 * 1024

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
  /** Replies that fit nothing. */
  strays = 0
  /** Whether anything valid was ever answered on the stream. */
  proven = false
  bytesSent = 0
  bytesReceived = 0
  readonly lines = new Map<number, Line>()
  readonly #settings: Settings
  readonly #hooks: ConnectionHooks
  readonly #session: ClientHttp2Session
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

  constructor (settings: Settings, to: AgentTarget | { readonly socket: Duplex }, hooks: ConnectionHooks) {
    this.#settings = settings
    this.#hooks = hooks
    this.#outbox = new Outbox({
      write: (frames) => {
        this.bytesSent += frames.length
        return this.#stream?.write(frames) ?? false
      },
      onOverfull: () => this.lose(gone('the agent does not read what it is sent')),
    })
    this.#session = openSession(to)
    this.#watch = keepalive(this.#session, settings, {
      onStalled: () => {
        if (this.state === 'ready' || this.state === 'not-serving') this.#become('stalled', `no answer to a ping in ${settings.pingTimeoutMs} ms`)
      },
      onRevived: () => { if (this.state === 'stalled') this.#resume() },
      onDead: () => this.lose(gone('the agent gives no sign of life')),
    })
    this.#session.on('error', (error) => this.lose(gone(whyOf(error))))
    this.#session.on('close', () => this.lose(gone('the agent closed the connection')))
    this.#session.on('goaway', (code) => this.#retire(code))
    this.#session.on('connect', () => {
      clearTimeout(this.#connectTimer)
      this.#met = true
      this.#session.setLocalWindowSize(connectionWindowBytes)
      void this.#serve()
    })
    this.#connectTimer = setTimeout(() => this.lose(new Fault('AGENT_TIMEOUT', `no connection in ${settings.connectTimeoutMs} ms`)), settings.connectTimeoutMs)
  }

  /** The stream cannot take more now. */
  get full (): boolean {
    return this.#outbox.full
  }

  /** For bodies: `undefined` when there is room now, else a promise of whether there was before the deadline. */
  room (deadlineMs: number): Promise<boolean> | undefined {
    return this.#outbox.room(deadlineMs)
  }

  /** A number for a new exchange, never used before on this stream. */
  open (line: Line): number {
    const exchange = ++this.#lastExchange
    this.lines.set(exchange, line)
    return exchange
  }

  /** Puts an event on its way. It is encoded at once: what it shows may change afterwards. */
  send (event: Event): void {
    if (this.state === 'closed') return
    // The question of the only exchange: no other will leave with it.
    this.#outbox.push(encode(writeToAgent, { events: [event] }), event.timeoutMs > 0 && this.lines.size === 1)
  }

  stray (kind: ProtocolFault, detail: string): void {
    this.strays++
    this.#settings.onProtocolFault(kind, detail)
  }

  /** Sends the configuration again (reload). Gives problems; rejects with a `Fault`. */
  async configure (configuration: AgentConfiguration, validateOnly: boolean): Promise<readonly ConfigProblem[]> {
    const problems = await configureAgent(this.#session, configuration, validateOnly, this.#settings)
    if (validateOnly || this.state === 'closed') return problems
    // An agent that keeps an earlier configuration goes on deciding with that; one that never had any cannot.
    if (problems.length === 0) this.#accept(configuration)
    else if (this.configVersion === '') this.#refuse(problems)
    return problems
  }

  /** Ends it at once; every open exchange is told. */
  lose (found: Fault): void {
    if (this.state === 'closed') return
    const fault = this.#explained(found)
    this.state = 'closed'
    this.why = fault.detail ?? fault.code
    clearTimeout(this.#connectTimer)
    this.#watch.stop()
    this.#stopPolling()
    this.#outbox.close()
    this.#stream?.destroy(fault)
    endSession(this.#session)
    const open = [...this.lines.values()]
    this.lines.clear()
    for (const line of open) line.onLost(fault)
    this.#hooks.onLost(fault)
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
    const configuration = this.#hooks.configuration()
    try {
      this.describe = await describeAgent(this.#session, this.#settings)
      watchHealth(this.#session, agentService.name, (serving) => this.#hearHealth(serving))
      this.#pollHealth()
      watchReports(this.#session, (report) => this.#hearReport(report))
      const problems = await configureAgent(this.#session, configuration, false, this.#settings)
      if (problems.length > 0) this.#refuse(problems)
      else this.#accept(configuration)
    } catch (error) {
      if (error instanceof Incompatible) this.#become('incompatible', error.message)
      else this.lose(Fault.from(error))
    }
  }

  #refuse (problems: readonly ConfigProblem[]): void {
    this.refusals = problems
    // The first for the one-line state; all of them are in `refusals`.
    this.#become('refused', `${problems[0]!.path.join(' ')}${problems[0]!.path.length > 0 ? ': ' : ''}${problems[0]!.message}`)
  }

  #accept (configuration: AgentConfiguration): void {
    if (this.state === 'closed') return
    this.refusals = []
    this.configVersion = configuration.version
    if (this.#stream !== undefined) return this.#hooks.onChange()
    try {
      this.#stream = openStream(this.#session, agentService.process, this.#settings.maxMessageBytes, {
        onMessage: (message) => this.#receive(message),
        onDrain: () => this.#outbox.drained(),
        onEnd: (fault) => this.lose(fault),
      })
      this.#resume()
    } catch (error) {
      this.lose(Fault.from(error))
    }
  }

  /** In use again, unless the agent itself says that it takes nothing. */
  #resume (): void {
    if (!this.#serving) this.#become('not-serving', 'it says of itself that it is not serving')
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
    this.#watch.heard()
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
      } else {
        this.stray('late', `a reply for exchange ${reply.exchange}, which is over`)
      }
    }
  }

  /** GOAWAY without an error: the agent is about to stop and finishes what it has. New exchanges need another connection. */
  #retire (code: number): void {
    if (this.state === 'closed' || this.state === 'retiring') return
    if (code !== constants.NGHTTP2_NO_ERROR || this.lines.size === 0) return this.lose(gone(`the agent closes the connection (${code})`))
    this.#become('retiring', 'the agent is closing')
  }

  #become (state: ConnectionState, why?: string): void {
    if (this.state === 'closed') return
    this.state = state
    this.why = why
    this.#hooks.onChange()
  }
}
