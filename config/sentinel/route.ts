import type { KdlNode } from '../kdl/nodes.ts'
import { named, optionalBlock } from '../schema/blocks.ts'
import type { OlderForm, OlderForms } from '../schema/field.ts'
import { list, notBuilt, optional, setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import type { Here } from '../schema/read-block.ts'
import { bool, integer, oneOf, ref, text } from '../schema/values.ts'
import { apiSchema } from './api-schema.ts'
import { builtinHandler } from './builtin-handler.ts'
import { routeCircuitBreaker } from './circuit-breaker.ts'
import { errorPages, respond } from './error-pages.ts'
import { fallback } from './fallback.ts'
import { flag } from './flag.ts'
import { inference } from './inference.ts'
import { matches } from './matches.ts'
import { policies } from './policies.ts'
import { retryPolicy } from './retry-policy.ts'
import { routeCache } from './route-cache.ts'
import { routeFilters } from './route-filters.ts'
import { inside, lowPriority, priority } from './route-types.ts'
import { shadow } from './shadow.ts'
import { staticFiles } from './static-files.ts'
import { urlPath } from './types.ts'
import { websocket } from './websocket.ts'

/** Settings that make a route answer without an upstream. */
const services = {
  staticFiles,
  builtinHandler,
  respond,
}

const serviceNames = ['staticFiles', 'builtinHandler', 'respond'] as const satisfies readonly (keyof typeof services)[]

const serviceType = oneOf('web', 'api', 'inference', 'static', 'builtin')

/** What a word for a service needs to be true. */
const needed = { static: 'staticFiles', builtin: 'builtinHandler' } as const

const fields = {
  priority: setting(priority, 'normal', 'Which of several matching routes wins: higher first, then the more specific, then the earlier in the file. critical = 1000, high = 100, normal = 50, low = 10.'),
  matches,
  enabled: setting(bool, true, 'Whether the route is there at all.'),
  upstream: optional(ref('upstream'), 'Where requests go.', { mistaken: ['back-to'] }),
  otherUpstreams: list(ref('upstream'), [], 'Upstreams that an agent of this route may choose in place of `upstream`.'),
  filters: routeFilters,
  agents: list(ref('agent'), [], 'More agents that see the request, after the filters.'),
  policies,
  serviceType: optional(serviceType, 'What answers: web, api and inference = the upstream, static = `static-files`, builtin = `builtin-handler`. It says nothing that those do not say.'),
  ...services,
  inference,
  fallback: notBuilt(fallback),
  retryPolicy,
  apiSchema,
  cache: routeCache,
  shadow,
  hedge: optionalBlock({
    enabled: setting(bool, true, 'Whether it is done.'),
    delay: setting(durationWithin('1ms'), '100ms', 'How long the first is waited for.', { aliases: ['delay-ms', 'after-ms', 'after'] }),
    maxAttempts: setting(integer(2, 10), 2, 'Targets that are asked at a time.'),
  }, 'Ask another target when the first is slow, and take the first answer; the other request is cancelled at once. Only idempotent requests without a body, and within the budget of `retry-policy`.', { args: ['enabled'], example: 'hedge { delay "50ms" }' }),
  websocket,
  websocketInspection: flag('Show the agents of the route that ask for `websocket_message` events every message of its WebSockets, in both directions, and do what they say. The same as `websocket { inspection #true }`.'),
  wafEnabled: optional(bool, 'Whether the firewall that guards every route (`waf`, or an agent of that type) guards this one; yes without it.'),
  errorPages,
  circuitBreaker: routeCircuitBreaker,
  wasmAgents: list(text, [], 'Agents that run inside of the proxy, as WebAssembly components. There are none here: agents are processes. A route that names some answers every request with 501, because passing what they should have judged would be less safe.'),
  stripPrefix: optional(urlPath, 'Beginning of the path that the upstream does not get.'),
}

const intoMatches: OlderForm = { doc: 'conditions go into matches { … }', into: inside('matches') }
const intoPolicies: OlderForm = { doc: 'it goes into policies { … }', into: inside('policies') }

/** Takes some children out of a block and puts them beside it. */
function besideIt (names: readonly string[], doc: string): OlderForm {
  const isMeant = (child: KdlNode): boolean => names.includes(child.name)
  return {
    doc,
    when: ({ children }) => children?.some(isMeant) === true,
    into: node => [{ ...node, children: node.children?.filter(child => !isMeant(child)) ?? [] }, ...node.children?.filter(isMeant) ?? []],
  }
}

const older: OlderForms = {
  ...Object.fromEntries(['path', 'path-prefix', 'path-regex', 'host', 'host-regex', 'method', 'header', 'query-param'].map(name => [name, intoMatches])),
  ...Object.fromEntries(['timeout', 'timeout-secs', 'timeout-ms', 'failure-mode', 'max-body-size', 'max-body-size-bytes'].map(name => [name, intoPolicies])),
  'service-type': {
    doc: 'write static-files { … }',
    when: ({ children }) => children !== undefined,
    into: ({ children, ...node }) => [{ ...node, children: undefined }, { name: 'static-files', at: node.at, args: [], props: [], children }],
  },
  policies: besideIt(['cache', 'agents'], '`cache` and `agents` stand beside policies { … }'),
  inference: besideIt(['fallback'], '`fallback` stands beside inference { … }'),
}

export const routes = named('route', fields, 'Which requests go where, and who is asked first.', {
  older,
  example: `routes {
    route "shop" {
        matches {
            host "shop.example.com"
            path-prefix "/api"
        }
        filters "limit" "auth"
        upstream "backend"
    }
}`,
  build (value, here) {
    const { policies: rules, serviceType, filters, matches } = value
    if (value.priority > lowPriority && isEmpty(matches) && here.clean) {
      here.report.error('CONFIG_MISSING', `${here.scope} has no conditions and would take every request`, here.at,
        'write matches { path-prefix "/" }, or priority "low" for a route that takes the rest')
    }
    if (value.cache?.enabled === true && here.given('respond') && here.clean) {
      here.report.warning('CONFIG_NO_EFFECT', `'cache' of ${here.scope} keeps nothing: only answers of an upstream are kept`, here.where('cache'), 'leave it out')
    }
    const websocketInspection = value.websocketInspection || value.websocket?.inspection === true
    if (websocketInspection && value.websocket?.enabled !== true && here.clean) {
      here.report.warning('CONFIG_NO_EFFECT', `'websocket-inspection' of ${here.scope} says nothing: the route has no WebSockets`,
        here.where(here.given('websocketInspection') ? 'websocketInspection' : 'websocket'), 'write websocket #true')
    }
    // Letting in everybody who was to be kept out would be worse than letting in nobody.
    const refusesAll = value.wasmAgents.length > 0
    if (refusesAll) {
      here.report.warning('CONFIG_NOT_BUILT', `${here.scope} names agents that run inside of the proxy, which there are not: its requests are refused`, here.where('wasmAgents'), 'run the agent as a process of its own: see agents { … }')
    }
    const closed = { upstream: undefined, otherUpstreams: [], staticFiles: undefined, builtinHandler: undefined, respond: undefined }
    const { id, at, priority, enabled, upstream, otherUpstreams, staticFiles, builtinHandler, respond } = refusesAll ? { ...value, ...closed } : value
    // Written out: leaving members out of a copy is slow, and there are thousands of routes.
    return {
      id, at, priority, enabled, matches, upstream, otherUpstreams,
      filters: filters.names,
      agents: rules.agents.length === 0 ? value.agents : [...value.agents, ...rules.agents],
      maxBodySize: rules.maxBodySize,
      retryPolicy: value.retryPolicy, hedge: value.hedge, timeouts: rules.timeouts,
      inlineFilters: filters.inline,
      websocket: value.websocket, websocketInspection,
      cache: value.cache,
      circuitBreaker: value.circuitBreaker,
      shadow: value.shadow,
      respond, staticFiles, builtinHandler,
      apiSchema: value.apiSchema,
      guardrails: value.inference?.guardrails,
      wafEnabled: value.wafEnabled,
      errorPages: value.errorPages,
      stripPrefix: value.stripPrefix,
      rewritePath: rules.rewritePath,
      requestHeaders: rules.requestHeaders,
      responseHeaders: rules.responseHeaders,
      requireHeaders: rules.requireHeaders,
      ipAccessControl: rules.ipAccessControl, geoAccessControl: rules.geoAccessControl,
      failureMode: rules.failureMode, bufferRequests: rules.bufferRequests, bufferResponses: rules.bufferResponses,
      rateLimit: rules.rateLimit,
      globalRateLimit: rules.globalRateLimit,
      /** What should answer is not built, so that requests have to be refused; or it could not be read, as the name of an upstream from an unset variable. */
      serviceNotBuilt: checkService(serviceType, here) || refusesAll || !here.clean ||
        (value.upstream === undefined && here.given('upstream')),
    } satisfies Record<Exclude<keyof typeof value, 'policies' | 'serviceType' | 'wasmAgents' | 'inference'>, unknown> & Record<string, unknown>
  },
})

function isEmpty (matches: object): boolean {
  return Object.values(matches).every((ofKind: readonly unknown[]) => ofKind.length === 0)
}

type HereOfRoute = Here<typeof fields>

/** Gives whether something answers that is not built. */
function checkService (word: 'web' | 'api' | 'inference' | 'static' | 'builtin' | undefined, here: HereOfRoute): boolean {
  const answers = serviceNames.filter(name => here.given(name))
  const [first, second] = answers
  if (first !== undefined && second !== undefined) {
    here.report.error('CONFIG_CONTRADICTION', `${here.scope} has both '${spelled[first]}' and '${spelled[second]}'`, here.where(second), 'only one of them can answer')
  }
  if (first !== undefined && here.given('upstream')) {
    here.report.error('CONFIG_CONTRADICTION', `${here.scope} has both an upstream and '${spelled[first]}'`, here.where('upstream'), 'only one of them can answer: make two routes')
  }
  if (word === 'static' || word === 'builtin') {
    const wanted = needed[word]
    if (!here.given(wanted)) {
      const write = word === 'static' ? 'write static-files { root "/folder" }' : 'write builtin-handler "health"'
      here.report.error('CONFIG_MISSING', `${here.scope} is of type '${word}' and needs '${spelled[wanted]}'`, here.where('serviceType'), write)
    }
  } else if (word !== undefined && first !== undefined) {
    here.report.error('CONFIG_CONTRADICTION', `${here.scope} is of type '${word}', but has '${spelled[first]}'`, here.where('serviceType'), 'leave out service-type')
  }
  return ((word === 'static' || word === 'builtin') && first === undefined) || (!here.given('upstream') && choosesByModel(here))
}

const spelled = { staticFiles: 'static-files', builtinHandler: 'builtin-handler', respond: 'respond' } as const

/** Where models have upstreams, the route needs none. */
function choosesByModel (here: HereOfRoute): boolean {
  return here.nodes('inference').some(node => node.children?.some(({ name }) => name === 'model-routing'))
}
