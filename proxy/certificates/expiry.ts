const dayMs = 86_400_000

/** Days before the end at which somebody is told; below the last of them, every day. */
const steps = [30, 14, 7]

/** Which warning is due for a certificate that ends then: a number that gets smaller; `undefined` while there is time. */
export function expiryStep (validTo: number, now: number): number | undefined {
  const days = Math.floor((validTo - now) / dayMs)
  if (days < 7) return days
  return steps.toReversed().find((step) => days <= step)
}

export interface Expiring {
  /** What tells it from others. */
  readonly id: string
  readonly title: string
  /** Unix time in milliseconds. */
  readonly validTo: number
}

export interface Notice {
  readonly title: string
  /** "expires in 6 days, on 2030-01-31". */
  readonly text: string
  readonly expired: boolean
}

/** Remembers what was said, and gives what is to be said now: each step once. */
export class ExpiryNotices {
  #said = new Map<string, number>()

  due (certificates: readonly Expiring[], now: number = Date.now()): Notice[] {
    const said = new Map<string, number>()
    const due = certificates.flatMap(({ id, title, validTo }) => {
      const step = expiryStep(validTo, now)
      if (step === undefined) return []
      const again = said.get(id) === step || this.#said.get(id) === step
      said.set(id, step)
      return again ? [] : [{ title, text: sentence(validTo, now), expired: validTo <= now }]
    })
    this.#said = said
    return due
  }
}

function sentence (validTo: number, now: number): string {
  const on = new Date(validTo).toISOString().slice(0, 10)
  const days = Math.floor((validTo - now) / dayMs)
  if (validTo <= now) return `expired on ${on}`
  return days === 0 ? 'expires within a day' : `expires in ${days === 1 ? '1 day' : `${days} days`}, on ${on}`
}
