import { Numbered } from '../../proto/numbered.ts'
import { AgentFailure } from '../failure.ts'
import type { OwnedStore, Store } from '../store/store.ts'
import type { StoreCall, StoreError } from './messages.ts'

/** The store as workers see it: every call is made by the thread that owns it, so that all workers share one. */
export class RemoteStore implements OwnedStore {
  readonly #send: (call: number, what: StoreCall) => void
  readonly #waiting = new Numbered<{ resolve: (value: unknown) => void, reject: (error: Error) => void }>()
  #last = 0

  constructor (send: (call: number, what: StoreCall) => void) {
    this.#send = send
  }

  get (key: string): Promise<string | undefined> {
    return this.#ask<string | undefined>({ method: 'get', args: [key] })
  }

  set (key: string, value: string, options: object = {}): Promise<void> {
    return this.#ask<void>({ method: 'set', args: [key, value, options] })
  }

  increment (key: string, options: object = {}): Promise<number> {
    return this.#ask<number>({ method: 'increment', args: [key, options] })
  }

  delete (key: string): Promise<boolean> {
    return this.#ask<boolean>({ method: 'delete', args: [key] })
  }

  async close (): Promise<void> {}

  answered (call: number, value: unknown): void {
    this.#take(call)?.resolve(value)
  }

  failed (call: number, error: StoreError): void {
    this.#take(call)?.reject(revived(error))
  }

  #take (call: number): { resolve: (value: unknown) => void, reject: (error: Error) => void } | undefined {
    const waiting = this.#waiting.get(call)
    this.#waiting.delete(call)
    return waiting
  }

  #ask<T> (what: StoreCall): Promise<T> {
    const call = ++this.#last
    return new Promise<T>((resolve, reject) => {
      // The other side answers with what the same method of its store gave.
      this.#waiting.set(call, { resolve: (value) => resolve(value as T), reject })
      this.#send(call, what)
    })
  }
}

/** Makes a call of a worker on the store that the thread owns. */
export function callStore (store: Store, { method, args }: StoreCall): Promise<unknown> {
  switch (method) {
    case 'get': return store.get(args[0])
    case 'delete': return store.delete(args[0])
    case 'set': return store.set(...args)
    case 'increment': return store.increment(...args)
  }
}

export function storeError (error: unknown): StoreError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error), code: undefined }
  return { name: error.name, message: error.message, code: error instanceof AgentFailure ? error.code : undefined }
}

function revived ({ name, message, code }: StoreError): Error {
  if (code !== undefined) return new AgentFailure(code, message, { retryable: true })
  if (name === 'TypeError') return new TypeError(message)
  return name === 'RangeError' ? new RangeError(message) : new Error(message)
}
