import type { Fault } from './faults.ts'

/** Wants to know when an exchange is over before its work is done. */
export interface EndListener {
  /** Called at most once. Must not throw. */
  onExchangeEnd (reason: Fault): void
}

/**
 * Says once that an exchange is over: its client left, or nothing is left to do.
 *
 * In place of the platform's `AbortSignal`, which with its events cost an eighth of a proxied request. Listeners are few and short-lived.
 */
export class EndSignal {
  #reason: Fault | undefined
  #listeners: EndListener[] = []

  /** Why it is over; `undefined` while it is not. */
  get reason (): Fault | undefined {
    return this.#reason
  }

  /** The first reason counts. */
  end (reason: Fault): void {
    if (this.#reason !== undefined) return
    this.#reason = reason
    const listeners = this.#listeners
    this.#listeners = []
    for (const listener of listeners) listener.onExchangeEnd(reason)
  }

  /** To be called only while `reason` is undefined: what ended does not end again. */
  listen (listener: EndListener): void {
    this.#listeners.push(listener)
  }

  ignore (listener: EndListener): void {
    const at = this.#listeners.indexOf(listener)
    if (at !== -1) this.#listeners.splice(at, 1)
  }
}
