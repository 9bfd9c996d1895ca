import {
  agentService, decodeConfigureResponse, decodeDescribeResponse, decodeFromAgent, decodeHealthCheckResponse, encodeConfigureRequest, encodeDescribeRequest,
  encodeHealthCheckRequest, encodeToAgent, frame, healthService, protocolVersions,
  type ConfigureResponse, type DescribeResponse, type Event, type Reply,
} from '../../../proto/codec/index.ts'
import { Fault } from '../../pipeline/faults.ts'
import { badReply, gone, openStream, unary, type GrpcStream } from '../grpc-stream.ts'
import { AgentSession, whyOf } from '../session.ts'
import type { AgentTarget } from '../settings.ts'

const maxMessageBytes = 16 * 1024 * 1024

export interface LinkSettings {
  readonly target: AgentTarget
  /** For the connection and for each call. */
  readonly timeoutMs: number
}

interface ConfigureTerms {
  readonly validateOnly?: boolean
  readonly version?: string
}

/** A connection to an agent on which somebody says what they like, one thing at a time: no retries, no filter, no failure mode. */
export class AgentLink {
  readonly #session: AgentSession
  readonly #timeoutMs: number
  readonly #onLeaving: (() => void)[]

  private constructor (session: AgentSession, timeoutMs: number, onLeaving: (() => void)[]) {
    this.#session = session
    this.#timeoutMs = timeoutMs
    this.#onLeaving = onLeaving
  }

  /** Rejects with AGENT_NOT_CONNECTED, whose detail says why for the operator. */
  static open ({ target, timeoutMs }: LinkSettings): Promise<AgentLink> {
    return new Promise((resolve, reject) => {
      const onLeaving: (() => void)[] = []
      const leave = (): void => { for (const tell of onLeaving) tell() }
      const fail = (why: string): void => {
        clearTimeout(timer)
        session.end()
        leave()
        reject(new Fault('AGENT_NOT_CONNECTED', why))
      }
      const session = new AgentSession(target, {
        onConnect () {
          clearTimeout(timer)
          resolve(new AgentLink(session, timeoutMs, onLeaving))
        },
        onHeard () {},
        onGoAway: leave,
        onClosed: (error) => fail(error === undefined ? 'it closed the connection' : whyOf(error)),
      })
      const timer = setTimeout(() => fail(`no connection in ${timeoutMs} ms`), timeoutMs)
    })
  }

  get closed (): boolean {
    return this.#session.leaving
  }

  /** Resolves when the agent has closed the connection, or says that it will. */
  whenLeaving (): Promise<void> {
    return new Promise((resolve) => {
      if (this.closed) return resolve()
      this.#onLeaving.push(resolve)
    })
  }

  async describe (versions: readonly number[] = protocolVersions, agentId = 'by-hand'): Promise<DescribeResponse> {
    return this.#unary(agentService.describe, encodeDescribeRequest({ protocolVersions: versions, proxy: 'sentinel', agentId }), decodeDescribeResponse)
  }

  async configure (json: string, { validateOnly = false, version = 'by-hand' }: ConfigureTerms = {}): Promise<ConfigureResponse> {
    return this.#unary(agentService.configure, encodeConfigureRequest({ configJson: Buffer.from(json), validateOnly, version }), decodeConfigureResponse)
  }

  async health (service: string = agentService.name): Promise<string> {
    return this.#unary(healthService.check, encodeHealthCheckRequest({ service }), (bytes) => decodeHealthCheckResponse(bytes).status)
  }

  process (): ProcessStream {
    return new ProcessStream(this.#session)
  }

  close (): void {
    this.#session.end()
  }

  async #unary<T> (path: string, message: Buffer, read: (bytes: Buffer) => T): Promise<T> {
    const answer = await unary(this.#session, path, frame(message), { timeoutMs: this.#timeoutMs, maxMessageBytes })
    try {
      return read(answer)
    } catch (error) {
      throw badReply(error instanceof Error ? error.message : String(error))
    }
  }
}

/** One `Process` stream. Every reply is kept in the order in which it came. */
export class ProcessStream {
  readonly replies: Reply[] = []
  /** How the call ended, once it has; `ok`: with status 0. */
  ended: { readonly fault: Fault, readonly ok: boolean } | undefined
  readonly #stream: GrpcStream
  readonly #unsaid: Buffer[] = []
  #saidAll = false
  readonly #looking = new Set<() => void>()

  constructor (session: AgentSession) {
    this.#stream = openStream(session, agentService.process, maxMessageBytes, { read: () => this.#unsaid.shift() ?? (this.#saidAll ? undefined : null) }, {
      onMessage: (message) => {
        this.replies.push(...decodeFromAgent(Buffer.from(message)).replies)
        this.#look()
      },
      onEnd: (fault, ok) => {
        this.ended = { fault, ok }
        this.#look()
      },
    })
  }

  /** One message with these events. */
  send (...events: Event[]): void {
    this.raw(frame(encodeToAgent({ events })))
  }

  /** Bytes as they are, framed or not. */
  raw (bytes: Buffer): void {
    if (bytes.length === 0) return
    this.#unsaid.push(bytes)
    this.#stream.wake(false)
  }

  /** Nothing more will be said. */
  halfClose (): void {
    this.#saidAll = true
    this.#stream.wake(false)
  }

  reset (): void {
    this.#stream.destroy(gone('given up'))
  }

  to (exchange: number, sequence?: number): Reply[] {
    return this.replies.filter((reply) => reply.exchange === exchange && (sequence === undefined || reply.sequence === sequence))
  }

  /** What settles a question: a decision, an answer for a chunk or an error, not more time and no credit. */
  answer (exchange: number, sequence: number): Reply | undefined {
    return this.to(exchange, sequence).find(({ kind }) => kind !== 'more_time' && kind !== 'credit')
  }

  /** True when it holds, at once or before `ms` are over; false when they are, or the call ended without it. */
  until (holds: () => boolean, ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const done = (result: boolean): void => {
        clearTimeout(timer)
        this.#looking.delete(look)
        resolve(result)
      }
      const look = (): void => {
        if (holds()) done(true)
        else if (this.ended !== undefined) done(false)
      }
      const timer = setTimeout(() => done(holds()), ms)
      this.#looking.add(look)
      look()
    })
  }

  #look (): void {
    for (const look of this.#looking) look()
  }
}
