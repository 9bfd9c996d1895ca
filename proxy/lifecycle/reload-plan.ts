import { compareEffective } from '../../config/schema/index.ts'
import { effectiveConfig, type Loaded, type SentinelConfig } from '../../config/sentinel/index.ts'
import type { Cuts, Plan } from '../control/index.ts'
import { canonicalKey } from './leases.ts'
import { socketKey } from './listener-settings.ts'
import { agentEffects, needsRestart } from './needs-restart.ts'
import type { PathFacts } from './seam.ts'

export interface LoadedWhole extends Loaded {
  readonly config: SentinelConfig
}

/** What a reload from the one to the other would do, and what it would end of what is open now. */
export function planReload (file: string, old: LoadedWhole, next: LoadedWhole, path: PathFacts): Plan {
  const same = canonicalKey('config', old.config) === canonicalKey('config', next.config)
  return {
    ok: true,
    file,
    changes: compareEffective(effectiveConfig(old), effectiveConfig(next)).filter(({ open }) => open !== true || !same),
    restart: needsRestart(old.config, next.config),
    agents: agentEffects(old.config, next.config),
    cuts: cutsOf(old.config, next.config, path),
  }
}

/** Addresses and targets that stay keep what is open on them, whatever else changes. */
function cutsOf (old: SentinelConfig, next: SentinelConfig, { connections, upstreams }: PathFacts): Cuts {
  const staying = new Set(next.listeners.map(socketKey))
  const targets = new Map(next.upstreams.map((upstream) => [upstream.id, new Set(upstream.targets.map(({ address }) => address.text))]))
  // Who a discovery will find is not known before it was asked.
  const found = new Set(next.upstreams.filter(({ discovery }) => discovery !== undefined).map(({ id }) => id))
  return {
    graceMs: next.system.gracefulShutdownTimeout,
    connections: old.listeners.filter((listener) => !staying.has(socketKey(listener))).map(({ id }) => ({ listener: id, open: connections.get(id) ?? 0 }))
      .filter(({ open }) => open > 0),
    exchanges: [...upstreams].filter(([upstream]) => !found.has(upstream)).flatMap(([upstream, known]) =>
      known.filter(({ name, exchanges }) => exchanges > 0 && targets.get(upstream)?.has(name) !== true)
        .map(({ name, exchanges }) => ({ upstream, target: name, open: exchanges }))),
  }
}
