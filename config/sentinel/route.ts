import { blocks, named, block, optionalBlock } from '../schema/blocks.ts'
import type { Here } from '../schema/read-block.ts'
import { anything, list, optional, required, setting } from '../schema/fields.ts'
import { size } from '../schema/quantities.ts'
import { regex } from '../schema/regex.ts'
import type { ValueType } from '../schema/value.ts'
import { anyText, bool, integer, ref, textLike } from '../schema/values.ts'
import { host, method, token, urlPath } from './types.ts'

const priorities: Readonly<Record<string, number>> = { critical: 1000, high: 100, normal: 50, low: 10 }

/** Written by some for `normal`. */
const mediumPriority = priorities['normal'] ?? 0

/** The priority below which a route needs no conditions: it is there to catch the rest. */
export const lowPriority = 10

const priority: ValueType<number> = {
  name: 'priority',
  expected: 'a whole number or one of critical, high, normal, low',
  words: Object.keys(priorities),
  json: { anyOf: [{ type: 'integer' }, { enum: Object.keys(priorities) }] },
  parse (raw, context) {
    const word = typeof raw === 'string' ? priorities[raw.toLowerCase()] : undefined
    if (typeof raw === 'string' && raw.toLowerCase() === 'medium') return { value: mediumPriority }
    if (word !== undefined) return { value: word }
    return integer(-1_000_000, 1_000_000).parse(raw, context)
  },
}

const nameAndValue = {
  name: required(token, 'Its name.'),
  value: optional(anyText, 'The value it must have; without one it only has to be there.'),
  invert: anything('Turn the condition round.', { refuse: true }),
}

const queryNameAndValue = {
  name: required(anyText, 'Its name.'),
  value: optional(anyText, 'The value it must have; without one it only has to be there.'),
  invert: anything('Turn the condition round.', { refuse: true }),
}

const matches = block({
  path: list(urlPath, [], 'The whole path.'),
  pathPrefix: list(urlPath, [], 'Beginning of the path, ending where a segment ends: "/api" matches /api and /api/x, not /apis.'),
  pathRegex: list(regex, [], 'An expression found anywhere in the path.'),
  host: list(host, [], 'Host that was asked for, without the port. "*.example.com" matches at any depth below.'),
  method: list(method, [], 'Methods.'),
  header: blocks(nameAndValue, 'A request header field.', { args: ['name', 'value'] }),
  queryParam: blocks(queryNameAndValue, 'A parameter of the query.', { args: ['name', 'value'] }),
  hostRegex: list(regex, [], 'An expression found anywhere in the host, which is in lower case and without the port.'),
}, 'Which requests the route takes: all kinds of conditions must hold, of one kind any. Headers and parameters must all be there.', { aliases: ['match'] })

const policies = block({
  maxBodySize: optional(size, 'Largest request body.', { aliases: ['max-body-size-bytes'] }),
  requestHeaders: anything('Changes of the request\'s header.'),
  responseHeaders: anything('Changes of the answer\'s header.'),
  timeout: anything('Time for the whole request.', { aliases: ['timeout-secs'] }),
  timeouts: anything('Times for parts of the request.'),
  failureMode: anything('What a failing agent means on this route.'),
  bufferRequests: anything('Take in the whole request before it goes on.'),
  bufferResponses: anything('Take in the whole answer before it goes on.'),
  rateLimit: anything('Requests in a time.'),
  cache: anything('Keep answers.'),
  agents: anything('Agents to ask.'),
  rewritePath: anything('Another path for the upstream.'),
  securityHeaders: anything('Older form of `response-headers`.'),
  requireHeaders: anything('Header fields a request must have.'),
  ipAccessControl: anything('Addresses that may come in.'),
  geoAccessControl: anything('Countries that may come in.'),
  globalRateLimit: anything('Requests in a time, for all clients together.'),
}, 'Rules for the route\'s requests.')

/** Settings that make a route answer without an upstream. None of them is built. */
const services = {
  staticFiles: anything('Serve a folder of files.'),
  builtinHandler: anything('Serve a page of the proxy itself.', { aliases: ['builtin'] }),
  respond: anything('Serve a fixed answer.'),
}

const serviceNames = ['staticFiles', 'builtinHandler', 'respond'] as const satisfies readonly (keyof typeof services)[]

const filterNames = list(ref('filter', 'agent'), [], 'Filters and agents that see the request, in this order. A filter goes before an agent of the same name.')

/** Old files also declare filters right here, in a block. */
const filtersOrBlock: typeof filterNames = {
  row: filterNames.row,
  read (given, place) {
    const blocks = given.filter(node => node.args.length === 0 && node.children !== undefined)
    for (const node of blocks) place.report.warning('CONFIG_NOT_BUILT', `filters inside of ${place.scope} are accepted, but not in effect yet`, node.at, 'declare them in the top-level filters block and name them here')
    return filterNames.read(given.filter(node => !blocks.includes(node)), place)
  },
}

/** Part of something that is reported as a whole. */
const quiet = { quiet: true }

const fields = {
  priority: setting(priority, 'normal', 'Which of several matching routes wins: higher first, then the more specific, then the earlier in the file. critical = 1000, high = 100, normal = 50, low = 10.'),
  matches,
  enabled: setting(bool, true, 'Whether the route is there at all.'),
  upstream: optional(ref('upstream'), 'Where requests go.'),
  otherUpstreams: list(ref('upstream'), [], 'Upstreams that an agent of this route may choose in place of `upstream`.'),
  filters: filtersOrBlock,
  agents: list(ref('agent'), [], 'More agents that see the request, after the filters.'),
  maxBodySize: optional(size, 'Largest request body; the limit of `limits` without it. 0 = no limit.', { aliases: ['max-body-size-bytes'] }),
  policies,
  serviceType: optionalBlock({
    type: required(textLike('a service type', /^(?:web|api|static|builtin|inference)$/i, '"web"'), 'web, api, static, builtin or inference.'),
    root: anything('Folder of files.', quiet),
    index: anything('File for a folder.', quiet),
    compression: anything('Compress answers.', quiet),
    compress: anything('Compress answers.', quiet),
    cacheControl: anything('Cache-Control of answers.', quiet),
    fallback: anything('File for paths that do not exist.', quiet),
    directoryListing: anything('Show what a folder holds.', quiet),
  }, 'What answers.', { args: ['type'] }),
  ...services,
  path: list(urlPath, [], 'Same as in `matches`.'),
  pathPrefix: list(urlPath, [], 'Same as in `matches`.'),
  inference: anything('Route by model and count tokens.'),
  retryPolicy: anything('Try again when the upstream fails.'),
  apiSchema: anything('Check requests against a schema.'),
  fallback: anything('Other upstreams when one fails.'),
  cache: anything('Keep answers.'),
  shadow: anything('Send a copy elsewhere.', { aliases: ['mirror'] }),
  websocket: anything('Allow upgrades to WebSocket.'),
  websocketInspection: anything('Let agents see WebSocket frames.'),
  wafEnabled: anything('Show that a firewall is meant to be there.'),
  errorPages: anything('Own pages for errors.'),
  circuitBreaker: anything('Belongs to upstreams and agents.'),
  timeout: anything('Time for the whole request.', { aliases: ['timeout-secs', 'timeout-ms'] }),
  failureMode: anything('What a failing agent means on this route.'),
  hedge: anything('Ask two targets and take the first answer.'),
  wasmAgents: anything('Agents inside of the proxy.'),
  backTo: anything('Older name of `upstream`.'),
  stripPrefix: anything('Take the beginning off the path.'),
}

export const routes = named('route', fields, 'Which requests go where, and who is asked first.', {
  build (value, here) {
    const { path, pathPrefix, policies: rules, serviceType, ...route } = value
    const matches = { ...route.matches, path: [...route.matches.path, ...path], pathPrefix: [...route.matches.pathPrefix, ...pathPrefix] }
    const conditions = Object.values(matches).reduce((sum, ofKind) => sum + ofKind.length, 0)
    if (conditions === 0 && route.priority > lowPriority && here.clean) {
      here.report.error('CONFIG_MISSING', `${here.scope} has no conditions and would take every request`, here.at,
        'write matches { path-prefix "/" }, or priority "low" for a route that takes the rest')
    }
    const serviceNotBuilt = asksForService(serviceType?.type, here)
    if (serviceNotBuilt && route.upstream !== undefined) {
      here.report.error('CONFIG_CONTRADICTION', `${here.scope} has both an upstream and something else that answers`, here.where('upstream'))
    }
    /** `serviceNotBuilt`: what should answer is not built, so that requests have to be refused. */
    return { ...route, matches, maxBodySize: route.maxBodySize ?? rules.maxBodySize, serviceNotBuilt }
  },
})

function asksForService (type: string | undefined, here: Here<typeof fields>): boolean {
  const word = type?.toLowerCase()
  const service = word === 'static' || word === 'builtin'
  if (word !== undefined && word !== 'web') {
    here.report.warning('CONFIG_NOT_BUILT', `service-type "${word}" of ${here.scope} is accepted, but not in effect yet`, here.where('serviceType'),
      service ? 'requests of this route are refused' : undefined)
  }
  return service || serviceNames.some(name => here.given(name))
}
