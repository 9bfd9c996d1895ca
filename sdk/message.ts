import type { Audit, MessageAnswer, MessageAnswerFields, ReplyOneOf, Wants, WebSocketMessage as WireMessage } from '../proto/codec/index.ts'
import { notADecision } from './answer.ts'
import { bodyJson } from './body-text.ts'
import { ChunkAnswer, type MessageExtras } from './chunk.ts'
import { Decision, wireAudit, wireDecision } from './decision.ts'
import { AgentFailure } from './failure.ts'

/** A whole message of a WebSocket, whatever fragments it came in, unpacked. */
export class WebSocketMessage {
  readonly #wire: WireMessage
  #text: string | undefined
  #isLast = false

  /** @internal */
  constructor (wire: WireMessage) {
    this.#wire = wire
  }

  /** Who says it. */
  get direction (): 'from-client' | 'from-upstream' { return this.#wire.fromClient ? 'from-client' : 'from-upstream' }
  /** Whether the client says it. */
  get fromClient (): boolean { return this.#wire.fromClient }
  /** Whether it is one of bytes; else one of text. */
  get binary (): boolean { return this.#wire.binary }
  /** Its bytes: of a text, UTF-8. */
  get data (): Uint8Array { return this.#wire.data }
  /** Its text. Bytes are read as UTF-8, with a mark in the place of what is none: what a rule looks for cannot hide in a message of bytes. */
  get text (): string { return this.#text ??= this.#wire.data.toString() }
  /** The text as JSON. Throws `InvalidBody` for what is none; let through, it closes with 1007 when the client said it. */
  json (): unknown { return bodyJson(this.#wire.data) }

  /** This is the last message the agent wants to see of this WebSocket. It hears no more of the exchange, not even its end. */
  done (): void { this.#isLast = true }

  /** @internal The agent said so. */
  get isLast (): boolean { return this.#isLast }
}

/** The WebSocket ends. Made by `close`. */
export class Close {
  /** What both sides read (RFC 6455 section 7.4). */
  readonly code: number
  /** Why, for whoever reads the close. */
  readonly reason: string
  /** What is attached to it. */
  readonly extras: MessageExtras

  /** @internal */
  constructor (code: number, reason: string, extras: MessageExtras) {
    this.code = code
    this.reason = reason
    this.extras = extras
  }
}

/** Bytes of a reason (RFC 6455 section 5.5). */
const maxReasonBytes = 123

/**
 * Ends a WebSocket: the message vanishes, and both sides read the code and the reason. 1008 says that it is against the rules; 4000 to 4999 are
 * the application's own (RFC 6455 section 7.4).
 */
export function close (code = 1008, reason = '', extras: MessageExtras = {}): Close {
  const maySend = Number.isInteger(code) && (code >= 3000 && code <= 4999 || code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006)
  if (!maySend) throw new RangeError(`a WebSocket is closed with a code from 1000 to 1003, 1007 to 1014 or 3000 to 4999, not ${code}`)
  if (Buffer.byteLength(reason) > maxReasonBytes) throw new RangeError(`the reason of a close has at most ${maxReasonBytes} bytes`)
  return new Close(code, reason, extras)
}

/** What a handler returned, as an answer to a message. Throws `AgentFailure` for what is none. */
export function answerToMessage (outcome: unknown, attributes: ReadonlyMap<string, string>, isLast: boolean): ReplyOneOf {
  const wants = isLast ? done : undefined
  if (outcome instanceof Decision) {
    return { kind: 'decision', value: wireDecision(outcome, { requestHeaders: [], responseHeaders: [], attributes }, wants) }
  }
  const extras = outcome instanceof ChunkAnswer || outcome instanceof Close ? outcome.extras : {}
  const fields: MessageAnswerFields = {
    attributes: extras.attributes === undefined ? attributes : new Map([...attributes, ...Object.entries(extras.attributes)]),
    audit: auditOf(extras),
    wants,
  }
  return { kind: 'message', value: messageAnswer(outcome, fields) }
}

function messageAnswer (outcome: unknown, fields: MessageAnswerFields): MessageAnswer {
  if (outcome === undefined) return { kind: 'allow', value: {}, ...fields }
  if (outcome instanceof Close) return { kind: 'close', value: { code: outcome.code, reason: outcome.reason }, ...fields }
  if (!(outcome instanceof ChunkAnswer)) throw notADecision(outcome)
  const { wire, isText } = outcome
  switch (wire.kind) {
    case 'pass': return { kind: 'allow', value: {}, ...fields }
    case 'drop': return { kind: 'drop', value: {}, ...fields }
    case 'replace': return { kind: 'replace', value: { binary: !isText, data: wire.value }, ...fields }
    default: throw new AgentFailure('bad_answer', 'a message cannot be held back, as a whole or in part')
  }
}

function auditOf ({ audit }: MessageExtras): Audit | undefined {
  return audit === undefined ? undefined : wireAudit(audit)
}

const done: Wants = { done: true, requestBody: undefined, responseHeaders: false, responseBody: undefined }
