import type { Source } from './source.ts'
import { believe } from './target-list.ts'

const dayMs = 86_400_000

/** Targets that stand in the configuration. */
export function staticSource (backends: ReadonlyArray<{ readonly host: string, readonly port: number }>): Source {
  return {
    patienceMs: 1_000,
    ask: async () => ({ targets: backends.map(({ host, port }) => believe({ host, port })), againMs: dayMs }),
  }
}
