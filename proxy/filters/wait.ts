import type { Exchange } from '../pipeline/exchange.ts'
import type { Fault } from '../pipeline/faults.ts'

/** Resolves, with nothing to answer, after a time; rejects as soon as the exchange is over. */
export function waitFor (x: Exchange, ms: number): Promise<undefined> {
  const { ending } = x
  return new Promise((resolve, reject) => {
    if (ending.reason !== undefined) return reject(ending.reason)
    const listener = { onExchangeEnd (reason: Fault): void {
      clearTimeout(timer)
      reject(reason)
    } }
    const timer = setTimeout(() => {
      ending.ignore(listener)
      resolve(undefined)
    }, ms)
    ending.listen(listener)
  })
}
