import type { Body } from '../pipeline/body.ts'
import type { EndListener } from '../pipeline/end-signal.ts'
import type { Exchange } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'
import type { Watcher } from './attempt.ts'
import { exchangeFault } from './fault-of-error.ts'
import type { Link, LinkUser } from './link.ts'
import { ResponseBody, type Source } from './response-body.ts'

/** What the other end still sends when nobody listens any more is thrown away for this long, so that it gets to read our last words. */
export const lingerMs = 2_000

/** A connection that a target made a tunnel: bytes both ways until both sides have ended. It belongs to no pool any more. */
export class Tunnel implements LinkUser, Source, EndListener {
  readonly body: ResponseBody
  readonly #x: Exchange
  readonly #link: Link
  readonly #input: Body
  readonly #writeTimeoutMs: number
  readonly #watcher: Watcher
  #wake: (() => void) | undefined = undefined
  #writeDueMs = Infinity
  #lingerDueMs = Infinity
  #heard = false
  #said = false
  #over = false

  constructor (x: Exchange, link: Link, writeTimeoutMs: number, watcher: Watcher) {
    this.#x = x
    this.#link = link
    this.#input = x.upgrade!.input // Nobody else asks for a tunnel.
    this.#writeTimeoutMs = writeTimeoutMs
    this.#watcher = watcher
    this.body = new ResponseBody(undefined, this)
  }

  begin (): void {
    this.#watcher.tunnelled()
    this.#x.ending.listen(this)
    this.#link.becomeTunnel(this)
    void this.#send()
  }

  onExchangeEnd (reason: Fault): void {
    this.#fail(reason)
  }

  // As the user of the connection.

  connected (): void { /* It is. */ }

  received (bytes: Buffer): void {
    if (this.#lingerDueMs === Infinity && !this.body.push(bytes)) this.#link.flow(false)
  }

  drained (): void {
    this.#wake?.()
  }

  ended (): void {
    this.#heard = true
    this.body.end(undefined)
    this.#maybeOver()
  }

  broken (error: Error): void {
    this.#fail(exchangeFault(error))
  }

  tick (nowMs: number): void {
    if (nowMs >= this.#writeDueMs) this.#fail(new Fault('UPSTREAM_TIMEOUT', `the target took nothing for more than ${this.#writeTimeoutMs} ms`))
    else if (nowMs >= this.#lingerDueMs) this.#end()
  }

  // As the source of what the target says. Silence is no fault of a tunnel.

  resume (): void {
    if (!this.#over) this.#link.flow(true)
  }

  keep (): boolean {
    return this.#link.keep()
  }

  awaited (): void { /* Whoever minds watches both directions. */ }

  stop (reason: Fault | undefined): void {
    if (reason !== undefined) return this.#fail(reason)
    this.#lingerDueMs = performance.now() + lingerMs
    this.#link.flow(true)
    this.#maybeOver()
  }

  async #send (): Promise<void> {
    try {
      for (;;) {
        const next = this.#input.read()
        const chunk = next instanceof Promise ? await next : next
        if (this.#over) return
        if (chunk === undefined) break
        if (!this.#link.write(chunk)) await this.#taken()
        if (this.#over) return
      }
      this.#said = true
      this.#link.endWriting()
      this.#maybeOver()
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)))
    }
  }

  #taken (): Promise<void> {
    this.#writeDueMs = performance.now() + this.#writeTimeoutMs
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined
        this.#writeDueMs = Infinity
        resolve()
      }
    })
  }

  #maybeOver (): void {
    if (this.#said && this.#heard) this.#end()
  }

  #end (): void {
    if (this.#over) return
    this.#leave()
    this.#wake?.()
    this.#link.destroySoon()
    this.#input.cancel()
  }

  #leave (): void {
    this.#over = true
    this.#watcher.over(true)
    this.#x.ending.ignore(this)
  }

  #fail (error: Error): void {
    if (this.#over) return
    this.#leave()
    this.#wake?.()
    this.#link.destroy()
    this.body.fail(error)
    this.#input.cancel(error instanceof Fault ? error : undefined)
  }
}
