import { pathToFileURL } from 'node:url'
import type { Fields, Infer } from '../config/schema/field.ts'
import { parseSize } from '../config/schema/quantities.ts'
import type { BodyMode, BodyModeKind, BodyModeOver, Complete, EventKind } from '../proto/codec/index.ts'
import { checkDefinition } from './check-definition.ts'
import type { Chunk, ChunkAnswer } from './chunk.ts'
import type { Context } from './context.ts'
import type { Decision } from './decision.ts'
import type { GuardrailInspection, Inspected } from './guardrail.ts'
import type { HeaderView } from './headers.ts'
import type { Log } from './log.ts'
import type { Close, WebSocketMessage } from './message.ts'
import type { AgentRequest } from './request.ts'
import type { AgentResponse } from './response.ts'
import type { ToolCall, ToolResult } from './tools.ts'

// `void`, so that a handler may simply end.
/** What a handler may return. */
export type MaybeDecision = Decision | undefined | void
/** The same at once or later. */
export type Answered = MaybeDecision | Promise<MaybeDecision>
/** What a handler of chunks may return. */
export type MaybeChunkAnswer = ChunkAnswer | Decision | undefined | void
/** The same at once or later. */
export type ChunkAnswered = MaybeChunkAnswer | Promise<MaybeChunkAnswer>

/** What a handler of messages may return. */
export type MaybeMessageAnswer = ChunkAnswer | Close | Decision | undefined | void
/** The same at once or later. */
export type MessageAnswered = MaybeMessageAnswer | Promise<MaybeMessageAnswer>

/** How an agent wants a body. The operator's settings win: a limit of theirs that is lower refuses what is longer, and `body-over` counts in place of `over`. */
export type BodyWish = 'buffer' | 'stream' | 'none' | {
  readonly mode: 'buffer' | 'stream' | 'none'
  /** Bytes buffered at the most, as a number or as "1MiB". */
  readonly max?: number | string
  /** What happens to a body longer than `max`: refuse with 413 (default), show the beginning, let it pass without a call of the handler. */
  readonly over?: 'block' | 'prefix' | 'skip'
}

/** Handlers in threads. */
export interface WorkerOptions {
  /** How many, from 1 to 256. */
  readonly threads: number
  /** URL of the module that serves the agent or exports it as its default: `import.meta.url`. The program that was started unless given. */
  readonly module?: string
  /** Events that one thread may owe an answer to, before new exchanges go elsewhere or are answered with the error "busy". 1000 unless given. */
  readonly maxWaiting?: number
  /** Milliseconds for which a thread with something to do may not react, before it is ended and replaced. 10 000 unless given. */
  readonly stuckMs?: number
}

/** The same, complete. */
export interface WorkerSettings {
  readonly threads: number
  readonly module: string
  readonly maxWaiting: number
  readonly stuckMs: number
}

/** Why a configuration is refused. `path` leads to the setting: names, and an index behind the name of a list. */
export interface ConfigProblem {
  /** Leads to the setting; empty for the block as a whole. */
  readonly path: readonly string[]
  /** One sentence for the operator. It must not repeat secrets. */
  readonly message: string
  /** What would be right, or what was probably meant. */
  readonly hint?: string
}

/** What more of an exchange an agent is told of, after the head of its request. */
export interface Concern {
  /** The body of the request, whole: `onRequestBody`. */
  readonly requestBody: boolean
  /** The head of the answer: `onResponse`. */
  readonly response: boolean
  /** The body of the answer, whole: `onResponseBody`. Its head comes before it. */
  readonly responseBody: boolean
  /** Of the WebSocket that the request may open. */
  readonly messages: boolean
}

/** How an exchange ended: always the last thing an agent hears of it. */
export type Summary = Complete

/**
 * An agent: its name, its settings and its handlers. A handler that returns nothing allows; one that throws sends an error, and the
 * operator's failure mode decides. Handlers of different exchanges run concurrently, those of one exchange one after the other.
 */
export interface AgentDefinition<F extends Fields, S> {
  /** Letters, digits and "-", beginning with a letter. */
  readonly name: string
  /** The agent's own version, for logs and `--version`. */
  readonly version?: string
  /** What it does, in a sentence: for its page about settings. */
  readonly description?: string
  /** Settings of the operator's `config {}` block. Anything else in it is refused. */
  readonly config?: F
  /** Request headers the agent sets as facts ("x-user"). The proxy removes copies that clients send. */
  readonly setsHeaders?: readonly string[]
  /** How request bodies are wanted: whole where there is an `onRequestBody`, in pieces for an `onRequestChunk` alone, unless given. */
  readonly requestBody?: BodyWish
  /** The same for response bodies. */
  readonly responseBody?: BodyWish
  /** Exchanges open at once; more are answered with the error "busy". 10 000 unless given. */
  readonly maxExchanges?: number
  /** Bytes of one body kept in memory at the most, as a number or as "1MiB", 16 MiB unless given. A longer one is the error "body_too_large". */
  readonly maxBody?: number | string
  /**
   * Threads that handlers run in, for work that takes milliseconds of a processor. Each loads the module of the definition anew: what handlers keep
   * in variables is each thread's own, and `context.store` is what they share. None unless given.
   */
  readonly workers?: number | WorkerOptions

  /**
   * Turns a configuration into what handlers need (`context.state`): compiled patterns, tables. Must not change anything else: it also
   * runs to judge a configuration that is never used. Throwing `ConfigRefused`, or anything else, refuses the configuration.
   */
  prepare? (config: Infer<F>): S | Promise<S>
  /**
   * Hears of a configuration: with `validateOnly` only to judge it, otherwise to make it active. Returned problems, and anything thrown,
   * refuse it. Not needed where `prepare` does the work.
   */
  onConfigure? (config: Infer<F>, about: ConfigureInfo<S>): readonly ConfigProblem[] | void | Promise<readonly ConfigProblem[] | void>

  /**
   * For an agent that knows only at run time what concerns it, because its rules say so: asked with the answer to the head of each request.
   * Without it, everything concerns it that it has a handler for. Bodies come whole, to `onRequestBody` and `onResponseBody`.
   */
  concerns? (request: AgentRequest, context: Context<Infer<F>, S>): Concern

  /** The head of a request has come, and nothing of it has been sent on. */
  onRequest? (request: AgentRequest, context: Context<Infer<F>, S>): Answered
  /** The whole request body (buffer mode). Not called for requests without one. */
  onRequestBody? (body: Uint8Array, request: AgentRequest, context: Context<Infer<F>, S>): Answered
  /** A piece of the request body (stream mode). Nothing returned passes it on. */
  onRequestChunk? (chunk: Chunk, request: AgentRequest, context: Context<Infer<F>, S>): ChunkAnswered
  /**
   * Fields behind the body of a request (RFC 9110 section 6.5), when it has some: gRPC and chunked uploads do. They can be read; the head and the body
   * have gone on already, but for the end of it.
   */
  onRequestTrailers? (trailers: HeaderView, request: AgentRequest, context: Context<Infer<F>, S>): Answered
  /** The head of the answer has come, and nothing of it has been sent on. */
  onResponse? (response: AgentResponse, request: AgentRequest, context: Context<Infer<F>, S>): Answered
  /** The whole response body (buffer mode). Not called for answers without one. */
  onResponseBody? (body: Uint8Array, response: AgentResponse, request: AgentRequest, context: Context<Infer<F>, S>): Answered
  /** A piece of the response body (stream mode). Nothing returned passes it on. */
  onResponseChunk? (chunk: Chunk, response: AgentResponse, request: AgentRequest, context: Context<Infer<F>, S>): ChunkAnswered
  /** Fields behind the body of the answer, when it has some: the status of a gRPC call is one. They can be read. */
  onResponseTrailers? (trailers: HeaderView, response: AgentResponse, request: AgentRequest, context: Context<Infer<F>, S>): Answered
  /**
   * A message of a WebSocket, on routes with `websocket-inspection`: `drop()`, `replace(…)` or `close(…)`; nothing returned lets it pass, a decision
   * that refuses closes with 1008. Messages of one direction come one after the other, the two directions side by side.
   */
  onWebSocketMessage? (message: WebSocketMessage, request: AgentRequest, context: Context<Infer<F>, S>): MessageAnswered
  /** A call of a tool, in a request to an MCP server or in the answer of a model. `replaceBody` of the decision is other arguments, as JSON. */
  onToolCall? (call: ToolCall, request: AgentRequest, context: Context<Infer<F>, S>): Answered
  /** What came of a call, in the answer of an MCP server or in a request to a model. `replaceBody` of the decision is another result, as JSON. */
  onToolResult? (result: ToolResult, request: AgentRequest, context: Context<Infer<F>, S>): Answered
  /** Texts that the `guardrails` of a route want looked through. Nothing returned: nothing was found. */
  onGuardrail? (inspection: GuardrailInspection, request: AgentRequest, context: Context<Infer<F>, S>): Inspected
  /** The exchange is over, however it ended. Nobody waits for an answer. */
  onComplete? (summary: Summary, request: AgentRequest, context: Context<Infer<F>, S>): void | Promise<void>
}

/** What `onConfigure` knows beside the configuration. */
export interface ConfigureInfo<S> {
  /** It is only to be judged: nothing may change. */
  readonly validateOnly: boolean
  /** The proxy's name for the configuration. */
  readonly version: string
  /** What `prepare` made of it. */
  readonly state: S
  /** The log of the agent. */
  readonly log: Log
}

/** A definition without its types: what the server and the test harness run. */
export type AnyDefinition = AgentDefinition<Fields, unknown>

/** Made by `defineAgent`, run by `serve` and `testAgent`. */
export interface Agent {
  /** What the author wrote. */
  readonly definition: AnyDefinition
  /** What the agent tells the proxy to send. */
  readonly events: readonly EventKind[]
  /** How it wants request bodies when it is sent any. */
  readonly requestBody: BodyMode
  /** The same for response bodies. */
  readonly responseBody: BodyMode
  /** Nothing but `onRequest`: an exchange is over with its answer. */
  readonly wantsOnlyHeaders: boolean
  /** Exchanges open at once. */
  readonly maxExchanges: number
  /** Bytes of one body kept in memory. */
  readonly maxBodyBytes: number
}

/** The threads an agent runs in: as the operator says (0: none), otherwise as its definition does. */
export function wantedWorkers ({ definition: { workers } }: Agent, operators: number | undefined): WorkerSettings | undefined {
  const given = typeof workers === 'object' ? workers : { threads: workers ?? 0 }
  const threads = operators ?? given.threads
  if (threads === 0) return undefined
  const { module = pathToFileURL(process.argv[1] ?? '').href, maxWaiting = 1000, stuckMs = 10_000 } = given
  return { threads, module, maxWaiting, stuckMs }
}

/** Checks a definition once, at start. Throws a TypeError for what can never work. */
export function defineAgent<F extends Fields = Record<never, never>, S = undefined> (definition: AgentDefinition<F, S>): Agent {
  checkDefinition(definition)
  checkWorkers(definition.workers)
  // Handlers are only ever called with what `prepare` and the settings of the same definition gave, so the types may be forgotten.
  const any = definition as unknown as AnyDefinition
  const events = eventsOf(any)
  return {
    definition: any,
    events,
    wantsOnlyHeaders: events.length === 2 && any.onComplete === undefined && any.concerns === undefined,
    requestBody: bodyMode(any.requestBody, any.onRequestBody !== undefined, any.onRequestChunk !== undefined),
    responseBody: bodyMode(any.responseBody, any.onResponseBody !== undefined, any.onResponseChunk !== undefined),
    maxExchanges: any.maxExchanges ?? 10_000,
    maxBodyBytes: bytesOfSize(any.maxBody ?? 16 * 1024 * 1024),
  }
}

function checkWorkers (workers: number | WorkerOptions | undefined): void {
  const threads = typeof workers === 'object' ? workers.threads : workers ?? 0
  if (!Number.isInteger(threads) || threads < 0 || threads > 256) throw new TypeError(`an agent runs in 0 to 256 threads, not in ${threads}`)
}

/** Request headers always, because every handler gets the request; `complete` always, because it is what frees an exchange. */
function eventsOf (d: AnyDefinition): EventKind[] {
  const events: EventKind[] = ['request_headers']
  if (d.concerns) return [...events, ...d.onWebSocketMessage ? ['websocket_message' as const] : [], 'complete']
  if (d.onRequestBody || d.onRequestChunk) events.push('request_body')
  if (d.onRequestTrailers) events.push('request_trailers')
  if (d.onResponse || d.onResponseBody || d.onResponseChunk || d.onResponseTrailers) events.push('response_headers')
  if (d.onResponseBody || d.onResponseChunk) events.push('response_body')
  if (d.onResponseTrailers) events.push('response_trailers')
  if (d.onWebSocketMessage) events.push('websocket_message')
  if (d.onToolCall) events.push('tool_call')
  if (d.onToolResult) events.push('tool_result')
  if (d.onGuardrail) events.push('guardrail')
  return [...events, 'complete']
}

function bodyMode (wish: BodyWish | undefined, whole: boolean, pieces: boolean): BodyMode {
  const given = typeof wish === 'string' ? { mode: wish } : wish
  const kind: BodyModeKind = given?.mode ?? (whole ? 'buffer' : pieces ? 'stream' : 'none')
  return wantedBody(kind, given?.max, given?.over)
}

export function wantedBody (kind: BodyModeKind, max: number | string | undefined, over: BodyModeOver | undefined): BodyMode {
  return { kind, maxBytes: max === undefined ? 0 : bytesOfSize(max), over: over ?? 'block' }
}

function bytesOfSize (size: number | string): number {
  const bytes = typeof size === 'number' ? size : parseSize(size)
  if (bytes === undefined || !Number.isSafeInteger(bytes) || bytes < 0) {
    throw new TypeError(`${JSON.stringify(size)} is not a size like "1MiB"`)
  }
  return bytes
}
