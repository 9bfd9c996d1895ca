import type { RouteConfig, SentinelConfig } from '../../config/sentinel/index.ts'
import type { Responder } from '../pipeline/exchange.ts'
import { fixedAnswer } from '../services/index.ts'
import { canonicalKey } from './leases.ts'
import type { Lend } from './rate-limits.ts'

/** For files of all routes together, in each worker. */
const keptBytes = 32 * 1024 * 1024

/** What is loaded only where a configuration has use for it. */
export interface ServiceParts {
  readonly staticFiles: typeof import('../services/static/static-files.ts').staticFiles | undefined
  /** Memory that each block of static files may keep. */
  readonly keptBytes: number
}

export async function serviceParts ({ routes }: SentinelConfig): Promise<ServiceParts> {
  const folders = routes.filter(({ staticFiles }) => staticFiles !== undefined).length
  const files = folders === 0 ? undefined : await import('../services/static/static-files.ts')
  return { staticFiles: files?.staticFiles, keptBytes: keptBytes / Math.max(1, folders) }
}

/** Who answers where a route needs no upstream; `undefined` where it does. */
export function ownResponder ({ respond, staticFiles }: RouteConfig, parts: ServiceParts, lend: Lend): Responder | undefined {
  if (respond !== undefined) return fixedAnswer(respond)
  if (staticFiles === undefined) return undefined
  return lend(canonicalKey('files', { ...staticFiles, keptBytes: parts.keptBytes }), () => parts.staticFiles!(staticFiles, parts.keptBytes))
}
