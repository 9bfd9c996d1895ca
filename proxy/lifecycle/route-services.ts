import { isLocal, type RouteConfig, type SentinelConfig } from '../../config/sentinel/index.ts'
import { isHostAllowed, isLoopback } from '../admin/host-check.ts'
import type { Filter, Responder } from '../pipeline/exchange.ts'
import type { FaultPages } from '../pipeline/fault-reply.ts'
import type { KeptAnswers } from '../pipeline/kept-answers.ts'
import { fixedAnswer } from '../services/index.ts'
import { canonicalKey } from './leases.ts'
import type { Lend } from './rate-limits.ts'
import type { MainSide } from './seam.ts'

/** For files of all routes together, in each worker. */
const keptBytes = 32 * 1024 * 1024

/** What is loaded only where a configuration has use for it. */
export interface ServiceParts {
  readonly staticFiles: typeof import('../services/static/static-files.ts').staticFiles | undefined
  /** Memory that each block of static files may keep. */
  readonly keptBytes: number
  readonly errorPages: typeof import('../services/error-pages.ts') | undefined
  readonly builtin: (typeof import('../services/builtin/builtin.ts') & typeof import('../services/builtin/guard.ts')) | undefined
}

export async function serviceParts ({ routes, errorPages }: SentinelConfig): Promise<ServiceParts> {
  const folders = routes.filter(({ staticFiles }) => staticFiles !== undefined).length
  const files = folders === 0 ? undefined : await import('../services/static/static-files.ts')
  const builtin = routes.every(({ builtinHandler }) => builtinHandler === undefined) ? undefined
    : { ...await import('../services/builtin/builtin.ts'), ...await import('../services/builtin/guard.ts') }
  const paged = errorPages !== undefined || routes.some((route) => route.errorPages !== undefined)
  const pages = paged ? await import('../services/error-pages.ts') : undefined
  return { staticFiles: files?.staticFiles, keptBytes: keptBytes / Math.max(1, folders), builtin, errorPages: pages }
}

/** The operator's own pages for errors: those of a route before those for all, or those for all alone. */
export function errorPagesOf (
  route: Pick<RouteConfig, 'errorPages'> | undefined, { errorPages: all }: SentinelConfig, { errorPages }: ServiceParts,
): FaultPages | undefined {
  const own = route?.errorPages
  if (own !== undefined) return errorPages!.faultPages(own, all)
  return all === undefined ? undefined : errorPages!.faultPages(all)
}

/** The step that puts them in the place of what the upstream says, where they are to. */
export function upstreamErrors ({ errorPages: own }: Pick<RouteConfig, 'errorPages'>, { errorPages: all }: SentinelConfig, { errorPages }: ServiceParts): Filter[] {
  const near = own ?? all
  return near?.upstreamErrors === true ? [errorPages!.upstreamErrorPages(near, own === undefined ? undefined : all)] : []
}

interface Around {
  readonly services: ServiceParts
  readonly lend: Lend
  readonly answers: KeptAnswers
  readonly page: MainSide['page']
}

/** Who answers where a route needs no upstream; `undefined` where it does. */
export function ownResponder (route: RouteConfig, config: SentinelConfig, around: Around): Responder | undefined {
  const { respond, staticFiles, builtinHandler } = route
  const { services, lend } = around
  if (respond !== undefined) return fixedAnswer(respond)
  if (builtinHandler !== undefined) return builtin(route, builtinHandler, config, around)
  if (staticFiles === undefined) return undefined
  return lend(canonicalKey('files', { ...staticFiles, keptBytes: services.keptBytes }), () => services.staticFiles!(staticFiles, services.keptBytes))
}

function builtin (
  { matches }: RouteConfig, { handler, token, public: forAll, guarded }: NonNullable<RouteConfig['builtinHandler']>, { listeners }: SentinelConfig, around: Around,
): Responder {
  const { builtinPage, guard } = around.services.builtin!
  // A name in the file is the operator's own.
  const hostRule = { configured: matches.host, loopback: true }
  return builtinPage({
    handler,
    ask: around.page,
    answers: around.answers,
    byToken: token !== undefined,
    guard: forAll || !guarded ? undefined : guard({
      token,
      localListeners: new Set(listeners.filter(({ address }) => isLocal(address)).map(({ id }) => id)),
      isLocalAddress: (address) => isLoopback(address) || address.startsWith('unix:'),
      isHostAllowed: (host) => isHostAllowed(host, hostRule),
    }),
  })
}
