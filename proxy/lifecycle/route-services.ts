import type { Log } from '../observe/log.ts'
import { isLocal, type RouteConfig, type SentinelConfig } from '../../config/sentinel/index.ts'
import { isHostAllowed, isLoopback } from '../admin/host-check.ts'
import type { Filter, Responder } from '../pipeline/exchange.ts'
import type { FaultPages } from '../pipeline/fault-reply.ts'
import type { KeptAnswers } from '../pipeline/kept-answers.ts'
import { fixedAnswer } from '../services/index.ts'
import { canonicalKey, type Lend } from './leases.ts'
import type { Parts } from './parts.ts'
import type { MainSide } from './seam.ts'
import { toldPurges } from './told-purges.ts'

/** For files of all routes together, in each worker. */
const keptFileBytes = 32 * 1024 * 1024

/** The operator's own pages for errors: those of a route before those for all, or those for all alone. */
export function errorPagesOf (
  route: Pick<RouteConfig, 'errorPages'> | undefined, { errorPages: all }: SentinelConfig, { errorPages }: Parts,
): FaultPages | undefined {
  const own = route?.errorPages
  if (own !== undefined) return errorPages!.faultPages(own, all)
  return all === undefined ? undefined : errorPages!.faultPages(all)
}

/** The step that puts them in the place of what the upstream says, where they are to. */
export function upstreamErrors ({ errorPages: own }: Pick<RouteConfig, 'errorPages'>, { errorPages: all }: SentinelConfig, { errorPages }: Parts): Filter[] {
  const near = own ?? all
  return near?.upstreamErrors === true ? [errorPages!.upstreamErrorPages(near, own === undefined ? undefined : all)] : []
}

interface Around {
  readonly parts: Parts
  readonly lend: Lend
  readonly answers: KeptAnswers
  readonly page: MainSide['page']
  readonly log: Log
}

/** Who answers where a route needs no upstream; `undefined` where it does. */
export function ownResponder (route: RouteConfig, config: SentinelConfig, around: Around): Responder | undefined {
  const { respond, staticFiles, builtinHandler } = route
  const { parts, lend } = around
  if (respond !== undefined) return fixedAnswer(respond)
  if (builtinHandler !== undefined) return builtin(route, builtinHandler, config, around)
  if (staticFiles === undefined) return undefined
  const keptBytes = keptFileBytes / config.routes.filter((one) => one.staticFiles !== undefined).length
  return lend(canonicalKey('files', { ...staticFiles, keptBytes }), () => parts.staticFiles!.staticFiles(staticFiles, keptBytes))
}

function builtin (
  { matches }: RouteConfig, { handler, token, public: forAll, guarded }: NonNullable<RouteConfig['builtinHandler']>, { listeners }: SentinelConfig, around: Around,
): Responder {
  const { builtinPage, guard } = around.parts.pages!
  // A name in the file is the operator's own.
  const hostRule = { configured: matches.host, loopback: true }
  return builtinPage({
    handler,
    ask: around.page,
    answers: toldPurges(around.answers, around.log),
    byToken: token !== undefined,
    guard: forAll || !guarded ? undefined : guard({
      token,
      localListeners: new Set(listeners.filter(({ address }) => isLocal(address)).map(({ id }) => id)),
      isLocalAddress: (address) => isLoopback(address) || address.startsWith('unix:'),
      isHostAllowed: (host) => isHostAllowed(host, hostRule),
    }),
  })
}
