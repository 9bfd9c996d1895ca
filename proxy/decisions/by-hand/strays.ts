import type { Event, Reply } from '../../../proto/codec/index.ts'

/** What was asked on one stream, and whether what came fits it. */
export class Ledger {
  readonly #asked = new Map<string, Event>()
  readonly #exchanges = new Set<number>()

  note (...events: readonly Event[]): void {
    for (const event of events) {
      this.#exchanges.add(event.exchange)
      this.#asked.set(`${event.exchange}/${event.sequence}`, event)
    }
  }

  /** A sentence for each reply that fits nothing which was asked, or answers it again. */
  strays (replies: readonly Reply[]): string[] {
    const answered = new Set<string>()
    return replies.flatMap(({ exchange, sequence, kind }) => {
      if (kind === 'credit') return this.#exchanges.has(exchange) ? [] : [`credit for exchange ${exchange}, which never was`]
      const key = `${exchange}/${sequence}`
      const event = this.#asked.get(key)
      const what = `a reply (${kind ?? 'of an unknown kind'}) for event ${sequence} of exchange ${exchange}`
      if (event === undefined) return [`${what}, which never was: a reply repeats exchange and sequence of its event`]
      if (event.timeoutMs === 0) return [`${what}, a ${event.kind ?? 'unknown event'} that awaits none: what has no timeout is never answered`]
      if (kind === 'more_time') return []
      if (answered.has(key)) return [`${what}, which was answered before: there is one reply for each event`]
      answered.add(key)
      return []
    })
  }
}
