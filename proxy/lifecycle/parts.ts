import type { SentinelConfig } from '../../config/sentinel/index.ts'
import type { Log } from '../observe/log.ts'
import type { Inspection } from '../websocket/index.ts'
import { isGuarded } from './guardrails.ts'
import type { MoreFilters } from './more-filters.ts'
import { needsMoreFilters } from './more-needed.ts'
import { loadRateStores, type OpenStore } from './rate-stores.ts'
import { keepsAnswers } from './route-cache.ts'

/** What is loaded only for configurations that have use for it: memory at rest is one of the promises. */
export interface Parts {
  readonly agents: typeof import('./agent-parts.ts') | undefined
  /** What looks through texts for models. */
  readonly guardrails: typeof import('../decisions/guardrails/index.ts') | undefined
  readonly evidence: typeof import('../evidence/evidence.ts') | undefined
  readonly traces: typeof import('../observe/telemetry/tracing.ts') | undefined
  readonly cache: typeof import('../cache/index.ts') | undefined
  readonly schema: typeof import('../filters/schema/filter.ts') | undefined
  readonly shadow: typeof import('../filters/shadow.ts') | undefined
  readonly staticFiles: typeof import('../services/static/static-files.ts') | undefined
  /** Pages of the proxy itself. */
  readonly pages: (typeof import('../services/builtin/builtin.ts') & typeof import('../services/builtin/guard.ts')) | undefined
  /** Of messages of WebSockets. */
  readonly inspection: Inspection | undefined
  readonly errorPages: typeof import('../services/error-pages.ts') | undefined
  /** Of counts that are kept outside. */
  readonly openStore: OpenStore | undefined
  readonly moreFilters: MoreFilters | undefined
}

/** Rejects when a file that one of them reads cannot be used. */
export async function loadParts (config: SentinelConfig, evidence: boolean, log: Log): Promise<Parts> {
  const { agents, routes, observability } = config
  return {
    agents: agents.length === 0 ? undefined : await import('./agent-parts.ts'),
    guardrails: routes.some(isGuarded) ? await import('../decisions/guardrails/index.ts') : undefined,
    evidence: evidence ? await import('../evidence/evidence.ts') : undefined,
    traces: observability.tracing?.enabled === true ? await import('../observe/telemetry/tracing.ts') : undefined,
    cache: routes.some((route) => keepsAnswers(route, config)) ? await import('../cache/index.ts') : undefined,
    schema: routes.some(({ apiSchema }) => apiSchema !== undefined) ? await import('../filters/schema/filter.ts') : undefined,
    shadow: routes.some(({ shadow }) => shadow !== undefined) ? await import('../filters/shadow.ts') : undefined,
    staticFiles: routes.some(({ staticFiles }) => staticFiles !== undefined) ? await import('../services/static/static-files.ts') : undefined,
    pages: routes.some(({ builtinHandler }) => builtinHandler !== undefined)
      ? { ...await import('../services/builtin/builtin.ts'), ...await import('../services/builtin/guard.ts') } : undefined,
    inspection: routes.some(({ websocketInspection }) => websocketInspection) ? (await import('../websocket/inspect/index.ts')).inspection : undefined,
    openStore: await loadRateStores(config, log),
    moreFilters: needsMoreFilters(config) ? await (await import('./more-filters.ts')).openMoreFilters(config, log.child({ component: 'filter' })) : undefined,
    errorPages: config.errorPages !== undefined || routes.some(({ errorPages }) => errorPages !== undefined) ? await import('../services/error-pages.ts') : undefined,
  }
}
