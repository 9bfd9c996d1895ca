import type { EndListener, EndSignal } from '../../pipeline/end-signal.ts'

export interface BackOffSettings {
  /** Longest wait before the second try; it doubles with each further one. */
  readonly firstMs: number
  /** Longest wait of all. */
  readonly mostMs: number
}

/**
 * How long to wait before another try, `retry` counting from 1: anything between nothing and the bound, so that those who failed together do not come
 * back together. `random` is from 0 up to 1.
 */
export function backOffMs ({ firstMs, mostMs }: BackOffSettings, retry: number, random: number): number {
  return random * Math.min(mostMs, firstMs * 2 ** Math.min(retry - 1, 30))
}

/** What `Retry-After` asks for (RFC 9110 section 10.2.3), in milliseconds; 0 for what is no such value, or is past. `dateMs`: Unix time. */
export function retryAfterMs (value: string | undefined, dateMs: number): number {
  if (value === undefined) return 0
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1_000
  // Of the many things that `Date.parse` takes, only dates as HTTP writes them.
  const until = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/.test(value) ? Date.parse(value) : NaN
  return until > dateMs ? until - dateMs : 0
}

/** Waits; rejects at once when the exchange ends before. */
export function pause (ms: number, ending: EndSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (ending.reason !== undefined) return reject(ending.reason)
    const listener: EndListener = {
      onExchangeEnd (reason) {
        clearTimeout(timer)
        reject(reason)
      },
    }
    const timer = setTimeout(() => {
      ending.ignore(listener)
      resolve()
    }, ms)
    ending.listen(listener)
  })
}
