import type { SentinelConfig } from '../../config/sentinel/index.ts'
import type { Seen, TailFilter } from '../pipeline/tail-filter.ts'
import type { DataPath } from './seam.ts'

/** Those who look on at exchanges as they end (`sentinel tail`), in all workers. */
export class Onlookers {
  readonly #path: () => DataPath | undefined
  readonly #config: () => SentinelConfig | undefined
  readonly #all = new Map<number, (seen: Seen) => void>()
  #begun = 0

  constructor (path: () => DataPath | undefined, config: () => SentinelConfig | undefined) {
    this.#path = path
    this.#config = config
  }

  /** Gives `take` what is seen of exchanges that fit, until the function is called that it gives. Throws when the filter cannot be. */
  begin (filter: TailFilter, take: (seen: Seen) => void): () => void {
    const { routes = [], agents = [] } = this.#config() ?? {}
    mustBeKnown('route', filter.routes, routes)
    mustBeKnown('agent', filter.agents, agents)
    const id = ++this.#begun
    this.#path()!.tail(id, filter) // Asked while the proxy serves.
    this.#all.set(id, take)
    return () => {
      this.#all.delete(id)
      this.#path()?.tail(id, undefined)
    }
  }

  take (id: number, seen: Seen): void {
    this.#all.get(id)?.(seen)
  }
}

/** Names shown to whoever mistook one. */
const mostNames = 20

/** Whoever asks for what is not there would wait for ever. */
function mustBeKnown (what: string, wanted: readonly string[], there: ReadonlyArray<{ readonly id: string }>): void {
  const unknown = wanted.find((name) => !there.some(({ id }) => id === name))
  if (unknown === undefined) return
  const names = there.slice(0, mostNames).map(({ id }) => id).join(', ')
  throw new Error(`there is no ${what} '${unknown}'; there ${there.length === 0 ? 'is none' : `are: ${names}${there.length > mostNames ? ', …' : ''}`}`)
}
