import type { Fields, Infer } from '../config/schema/index.ts'
import { parseSize } from '../config/schema/quantities.ts'
import type { BodyMode, BodyModeKind, BodyModeOver, Complete, EventKind } from '../proto/codec/index.ts'
import type { Chunk, ChunkAnswer } from './chunk.ts'
import type { Context } from './context.ts'
import type { Decision } from './decision.ts'
import type { Log } from './log.ts'
import type { Close, WebSocketMessage } from './message.ts'
import type { AgentRequest } from './request.ts'
import type { AgentResponse } from './response.ts'

// `void`, so that a handler may simply end.
export type MaybeDecision = Decision | undefined | void
export type Answered = MaybeDecision | Promise<MaybeDecision>
export type MaybeChunkAnswer = ChunkAnswer | Decision | undefined | void
export type ChunkAnswered = MaybeChunkAnswer | Promise<MaybeChunkAnswer>

export type MaybeMessageAnswer = ChunkAnswer | Close | Decision | undefined | void
export type MessageAnswered = MaybeMessageAnswer | Promise<MaybeMessageAnswer>

/** How an agent wants a body. The operator's settings win. */
export type BodyWish = 'buffer' | 'stream' | 'none' | {
  readonly mode: 'buffer' | 'stream' | 'none'
  /** Bytes buffered at the most, as a number or as "1MiB". */
  readonly max?: number | string
  /** What happens to a longer body: refuse with 413 (default), show the beginning, do not show it. */
  readonly over?: 'block' | 'prefix' | 'skip'
}

/** Why a configuration is refused. `path` leads to the setting: names, and an index behind the name of a list. */
export interface ConfigProblem {
  readonly path: readonly string[]
  readonly message: string
  readonly hint?: string
}

/** How an exchange ended: always the last thing an agent hears of it. */
export type Summary = Complete

/**
 * An agent: its name, its settings and its handlers. A handler that returns nothing allows; one that throws sends an error, and the
 * operator's failure mode decides. Handlers of different exchanges run concurrently, those of one exchange one after the other.
 */
export interface AgentDefinition<F extends Fields, S> {
  readonly name: string
  readonly version?: string
  /** Settings of the operator's `config {}` block. Anything else in it is refused. */
  readonly config?: F
  /** Request headers the agent sets as facts ("x-user"). The proxy removes copies that clients send. */
  readonly setsHeaders?: readonly string[]
  readonly requestBody?: BodyWish
  readonly responseBody?: BodyWish
  /** Exchanges open at once; more are answered with the error "busy". 10 000 unless given. */
  readonly maxExchanges?: number
  /** Bytes of one body kept in memory at the most, as a number or as "1MiB", 16 MiB unless given. A longer one is the error "body_too_large". */
  readonly maxBody?: number | string

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

  onRequest? (request: AgentRequest, context: Context<Infer<F>, S>): Answered
  /** The whole request body (buffer mode). Not called for requests without one. */
  onRequestBody? (body: Uint8Array, request: AgentRequest, context: Context<Infer<F>, S>): Answered
  /** A piece of the request body (stream mode). Nothing returned passes it on. */
  onRequestChunk? (chunk: Chunk, request: AgentRequest, context: Context<Infer<F>, S>): ChunkAnswered
  onResponse? (response: AgentResponse, request: AgentRequest, context: Context<Infer<F>, S>): Answered
  onResponseBody? (body: Uint8Array, response: AgentResponse, request: AgentRequest, context: Context<Infer<F>, S>): Answered
  onResponseChunk? (chunk: Chunk, response: AgentResponse, request: AgentRequest, context: Context<Infer<F>, S>): ChunkAnswered
  /**
   * A message of a WebSocket, on routes with `websocket-inspection`: `drop()`, `replace(…)` or `close(…)`; nothing returned lets it pass, a decision
   * that refuses closes with 1008. Messages of one direction come one after the other, the two directions side by side.
   */
  onWebSocketMessage? (message: WebSocketMessage, request: AgentRequest, context: Context<Infer<F>, S>): MessageAnswered
  onComplete? (summary: Summary, request: AgentRequest, context: Context<Infer<F>, S>): void | Promise<void>
}

export interface ConfigureInfo<S> {
  readonly validateOnly: boolean
  readonly version: string
  readonly state: S
  readonly log: Log
}

/** A definition without its types: what the server and the test harness run. */
export type AnyDefinition = AgentDefinition<Fields, unknown>

/** Made by `defineAgent`, run by `serve` and `testAgent`. */
export interface Agent {
  readonly definition: AnyDefinition
  /** What the agent tells the proxy to send. */
  readonly events: readonly EventKind[]
  readonly requestBody: BodyMode
  readonly responseBody: BodyMode
  /** Nothing but `onRequest`: an exchange is over with its answer. */
  readonly wantsOnlyHeaders: boolean
  readonly maxExchanges: number
  readonly maxBodyBytes: number
}

/** Checks a definition once, at start. Throws a TypeError for what can never work. */
export function defineAgent<F extends Fields = Record<never, never>, S = undefined> (definition: AgentDefinition<F, S>): Agent {
  if (!/^[a-z][a-z0-9-]*$/i.test(definition.name)) {
    throw new TypeError(`an agent's name is letters, digits and "-", not ${JSON.stringify(definition.name)}`)
  }
  // Handlers are only ever called with what `prepare` and the settings of the same definition gave, so the types may be forgotten.
  const any = definition as unknown as AnyDefinition
  const events = eventsOf(any)
  return {
    definition: any,
    events,
    wantsOnlyHeaders: events.length === 2 && any.onComplete === undefined,
    requestBody: bodyMode(any.requestBody, any.onRequestBody !== undefined, any.onRequestChunk !== undefined),
    responseBody: bodyMode(any.responseBody, any.onResponseBody !== undefined, any.onResponseChunk !== undefined),
    maxExchanges: any.maxExchanges ?? 10_000,
    maxBodyBytes: bytesOfSize(any.maxBody ?? 16 * 1024 * 1024),
  }
}

/** Request headers always, because every handler gets the request; `complete` always, because it is what frees an exchange. */
function eventsOf (d: AnyDefinition): EventKind[] {
  const events: EventKind[] = ['request_headers']
  if (d.onRequestBody || d.onRequestChunk) events.push('request_body')
  if (d.onResponse || d.onResponseBody || d.onResponseChunk) events.push('response_headers')
  if (d.onResponseBody || d.onResponseChunk) events.push('response_body')
  if (d.onWebSocketMessage) events.push('websocket_message')
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
