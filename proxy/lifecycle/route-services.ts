import type { RouteConfig, SentinelConfig } from '../../config/sentinel/index.ts'
import type { Responder } from '../pipeline/exchange.ts'
import { fixedAnswer } from '../services/index.ts'
import { canonicalKey, type Lend } from './leases.ts'
import type { Parts } from './parts.ts'

/** For files of all routes together, in each worker. */
const keptFileBytes = 32 * 1024 * 1024

/** Who answers where a route needs no upstream; `undefined` where it does. */
export function ownResponder ({ respond, staticFiles }: RouteConfig, { routes }: SentinelConfig, parts: Parts, lend: Lend): Responder | undefined {
  if (respond !== undefined) return fixedAnswer(respond)
  if (staticFiles === undefined) return undefined
  const keptBytes = keptFileBytes / routes.filter((route) => route.staticFiles !== undefined).length
  return lend(canonicalKey('files', { ...staticFiles, keptBytes }), () => parts.staticFiles!.staticFiles(staticFiles, keptBytes))
}
