import {
  protocolVersions, type BodyMode, type ConfigProblem, type DescribeResponse, type Event, type EventKind, type EventOneOf, type Reply,
} from '../../../proto/codec/index.ts'
import { Fault } from '../../pipeline/faults.ts'
import { rule, stages, type Stage } from '../decide.ts'
import { chunk, numbered, over, requestHead, responseHead, type MadeUp } from './events.ts'
import type { AgentLink, ProcessStream } from './link.ts'
import { Ledger } from './strays.ts'

export interface MadeUpResponse {
  readonly status: number
  readonly headers: readonly string[]
  readonly body?: Buffer | undefined
}

export interface Call {
  readonly request: MadeUp
  readonly clientIp?: string | undefined
  readonly route?: string | undefined
  readonly attributes?: ReadonlyMap<string, string>
  /** What is asked behind the request, as it is. */
  readonly events?: readonly EventOneOf[]
  readonly response?: MadeUpResponse | undefined
  /** JSON to configure it with first; without it, whatever configuration it has stays. */
  readonly config?: string | undefined
  readonly timeoutMs: number
}

/** One event that was put, and what came of it. */
export interface Put {
  readonly event: EventOneOf
  /** Nothing within the time when it is undefined. */
  readonly reply: Reply | undefined
  readonly ms: number
  /** It asked for more time. */
  readonly moreTimeMs: number | undefined
  /** Why a proxy would not apply the reply. */
  readonly refused: string | undefined
}

export interface Called {
  readonly describe: DescribeResponse
  /** Why it did not take the configuration. */
  readonly problems: readonly ConfigProblem[]
  readonly puts: readonly Put[]
  /** How the agent broke the protocol, a sentence each. */
  readonly faults: readonly string[]
}

/** How long somebody waits for what must not come. */
const quietMs = 150
const pieceBytes = 64 * 1024

/** Puts one exchange to an agent, by the events that it wants, and ends it. Rejects with a fault when the agent cannot be talked to at all. */
export async function callAgent (link: AgentLink, call: Call): Promise<Called> {
  const describe = await link.describe()
  if (!protocolVersions.includes(describe.protocolVersion)) {
    throw new Fault('AGENT_NOT_CONFIGURED', `it speaks ${describe.protocolVersion === 0 ? 'none' : `version ${describe.protocolVersion}`} of the protocol versions ${protocolVersions.join(', ')}`)
  }
  if (call.config !== undefined) {
    const { accepted, problems } = await link.configure(call.config)
    if (!accepted) return { describe, problems: problems.length > 0 ? problems : [{ path: [], message: 'the agent gave no reason', hint: '' }], puts: [], faults: [] }
  }
  const one = new OneCall(link.process(), describe, call.timeoutMs)
  await one.request(call)
  for (const event of call.events ?? []) await one.ask(event)
  if (call.response !== undefined) await one.response(call.response)
  return { describe, problems: [], puts: one.puts, faults: await one.end(call.response?.status ?? 200) }
}

class OneCall {
  readonly puts: Put[] = []
  readonly #stream: ProcessStream
  readonly #describe: DescribeResponse
  readonly #timeoutMs: number
  readonly #ledger = new Ledger()
  #sequence = 0
  #goesOn = true
  #done = false
  #bodies: Record<'request_body' | 'response_body', BodyMode['kind']>

  constructor (stream: ProcessStream, describe: DescribeResponse, timeoutMs: number) {
    this.#stream = stream
    this.#describe = describe
    this.#timeoutMs = timeoutMs
    this.#bodies = { request_body: this.#bodyAs('request_body', describe.requestBody), response_body: this.#bodyAs('response_body', describe.responseBody) }
  }

  async request ({ request, clientIp, route, attributes }: Call): Promise<void> {
    const head = requestHead(request, {
      ...clientIp === undefined ? {} : { clientIp }, ...route === undefined ? {} : { route }, ...attributes === undefined ? {} : { attributes },
      bodyMode: { kind: this.#bodies.request_body, maxBytes: 0, over: 'block' },
    })
    await this.#head(head, stages.requestHeaders)
    if (request.body !== undefined) await this.#body('request_body', request.body)
  }

  async ask (event: EventOneOf): Promise<void> {
    if (this.#goesOn && !this.#done) await this.#ask(event, this.#stageOf(event))
  }

  #stageOf ({ kind }: EventOneOf): Stage {
    switch (kind) {
      case 'request_headers': return stages.requestHeaders
      case 'request_body': return this.#bodies.request_body === 'stream' ? stages.requestChunk : stages.wholeRequestBody
      case 'response_headers': return stages.responseHeaders
      case 'response_body': return this.#bodies.response_body === 'stream' ? stages.responseChunk : stages.wholeResponseBody
      case 'response_trailers': return stages.responseChunk
      case 'websocket_message': return stages.webSocketMessage
      case 'request_trailers': return stages.requestChunk
      // Found in a request that has not left.
      default: return stages.requestPrefix
    }
  }

  async response ({ status, headers, body }: MadeUpResponse): Promise<void> {
    if (!this.#goesOn || this.#done) return
    await this.#head(responseHead(status, headers, body), stages.responseHeaders)
    if (body !== undefined) await this.#body('response_body', body)
  }

  /** Says that it is over; gives how the agent broke the protocol. */
  async end (status: number): Promise<string[]> {
    if (this.#stream.ended === undefined && !this.#done) this.#send(0, over(status))
    const known = this.#stream.replies.length
    await this.#stream.until(() => this.#stream.replies.length > known, quietMs)
    const broken = this.#stream.ended
    this.#stream.reset()
    return [...this.#ledger.strays(this.#stream.replies), ...broken === undefined ? [] : [`the call ended: ${broken.fault.detail ?? broken.fault.code}`]]
  }

  #bodyAs (kind: EventKind, mode: BodyMode | undefined): BodyMode['kind'] {
    if (!this.#describe.events.includes(kind)) return 'none'
    return mode?.kind === 'stream' ? 'stream' : 'buffer'
  }

  async #head (event: EventOneOf & { kind: 'request_headers' | 'response_headers' }, stage: Stage): Promise<void> {
    if (this.#describe.events.includes(event.kind)) await this.#ask(event, stage)
    else this.#send(0, event)
  }

  async #body (kind: 'request_body' | 'response_body', body: Buffer): Promise<void> {
    const mode = this.#bodies[kind]
    if (!this.#goesOn || this.#done || body.length === 0 || mode === 'none') return
    if (mode !== 'stream') return this.#ask(chunk(kind, body, true), kind === 'request_body' ? stages.wholeRequestBody : stages.wholeResponseBody)
    for (let at = 0; at < body.length && this.#goesOn && !this.#done; at += pieceBytes) {
      await this.#ask(chunk(kind, body.subarray(at, at + pieceBytes), at + pieceBytes >= body.length), kind === 'request_body' ? stages.requestChunk : stages.responseChunk)
    }
  }

  async #ask (event: EventOneOf, stage: Stage): Promise<void> {
    const startMs = performance.now()
    const { exchange, sequence } = this.#send(this.#timeoutMs, event)
    await this.#stream.until(() => this.#stream.answer(exchange, sequence) !== undefined, this.#timeoutMs)
    const ms = performance.now() - startMs
    const reply = this.#stream.answer(exchange, sequence)
    const more = this.#stream.to(exchange, sequence).find(({ kind }) => kind === 'more_time')
    const refused = reply === undefined ? undefined : whyNot(reply, stage)
    this.puts.push({ event, reply, ms, moreTimeMs: more?.kind === 'more_time' ? more.value.timeoutMs : undefined, refused })
    this.#goesOn = reply !== undefined && refused === undefined && isGoingOn(reply)
    if (reply?.kind === 'decision' && reply.value.wants !== undefined) {
      const { done, requestBody, responseBody } = reply.value.wants
      this.#done = done
      if (requestBody !== undefined && requestBody.kind !== 'default') this.#bodies.request_body = requestBody.kind
      if (responseBody !== undefined && responseBody.kind !== 'default') this.#bodies.response_body = responseBody.kind
    }
  }

  #send (timeoutMs: number, event: EventOneOf): Event {
    const sent = numbered(1, ++this.#sequence, timeoutMs, event)
    this.#ledger.note(sent)
    this.#stream.send(sent)
    return sent
  }
}

/** Why a proxy would not apply it. */
export function whyNot (reply: Reply, stage: Stage): string | undefined {
  if (reply.kind === undefined) return 'the reply is of no kind that this version knows'
  if (reply.kind === 'chunk') return reply.value.kind === undefined ? 'the answer for the chunk is of no kind that this version knows' : undefined
  if (reply.kind !== 'decision') return undefined
  try {
    rule(reply.value, stage)
    return undefined
  } catch (error) {
    return error instanceof Fault ? error.detail ?? error.code : String(error)
  }
}

export function isGoingOn (reply: Reply): boolean {
  if (reply.kind === 'chunk' || reply.kind === 'findings') return true
  if (reply.kind === 'message') return reply.value.kind !== 'close'
  return reply.kind === 'decision' && (reply.value.kind === 'allow' || reply.value.kind === 'flag' || reply.value.kind === 'redact')
}
