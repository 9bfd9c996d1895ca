import type { MessagePort } from 'node:worker_threads'
import type { ThreadVitals } from '../vitals.ts'
import type { LogRecord } from './thread-log.ts'

// What passes between the thread that speaks with the proxy and those that run handlers: messages of the agent protocol as bytes, and a few words
// around them.

export type StoreCall =
  | { readonly method: 'get' | 'delete', readonly args: readonly [key: string] }
  | { readonly method: 'set', readonly args: readonly [key: string, value: string, options: object] }
  | { readonly method: 'increment', readonly args: readonly [key: string, options: object] }

/** To a worker. */
export type ToWorker =
  /** `ToAgent`, of one `Process` stream. */
  | { readonly kind: 'events', readonly stream: number, readonly bytes: Uint8Array }
  | { readonly kind: 'close', readonly stream: number }
  /** `ConfigureRequest`. */
  | { readonly kind: 'configure', readonly call: number, readonly bytes: Uint8Array }
  | { readonly kind: 'stored', readonly call: number, readonly value: unknown }
  | { readonly kind: 'not-stored', readonly call: number, readonly error: StoreError }
  | { readonly kind: 'ping' | 'drain' }

/** From a worker. */
export type FromWorker =
  | { readonly kind: 'ready', readonly name: string, readonly version: string }
  /** `FromAgent`, of one `Process` stream. */
  | { readonly kind: 'replies', readonly stream: number, readonly bytes: Uint8Array }
  /** The exchange is over; nothing of it is left. */
  | { readonly kind: 'forgotten', readonly stream: number, readonly exchange: number }
  /** `ConfigureResponse`. */
  | { readonly kind: 'configured', readonly call: number, readonly bytes: Uint8Array }
  | { readonly kind: 'store', readonly call: number, readonly what: StoreCall }
  | { readonly kind: 'log', readonly record: LogRecord }
  | { readonly kind: 'vitals', readonly vitals: ThreadVitals }
  | { readonly kind: 'pong' | 'drained' }

/** An error of the store: its class does not survive the way, what handlers can tell it by does. */
export interface StoreError {
  readonly name: string
  readonly message: string
  readonly code: string | undefined
}

/** What a thread is started with. */
export interface ThreadTask {
  readonly port: MessagePort
  /** URL of the module that holds the definition. */
  readonly module: string
  readonly agent: string
  /** URL of a module whose `registerHooks` makes the other one loadable, where it is needed. */
  readonly hooks: string | undefined
}

/** Bytes that can be handed over: those of a Buffer may share their memory with others. */
export function handedOver (bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes)
}
