import { isHostName } from '../schema/address.ts'
import { block, blocks } from '../schema/blocks.ts'
import type { Here } from '../schema/read-block.ts'
import { list, optional, required, setting } from '../schema/fields.ts'
import { compile, regex } from '../schema/regex.ts'
import type { Pattern } from '../schema/regex.ts'
import type { ValueType } from '../schema/value.ts'
import { anyText, bool } from '../schema/values.ts'
import { host, method, token, urlPath } from './types.ts'

const asked = optional(anyText, 'The value it must have; without one it only has to be there.')
const inverted = setting(bool, false, 'Turn the condition round: it must not be there, or not have that value.')

interface AskedFor { readonly name: string, readonly value: string | undefined, readonly invert: boolean }

/** `invert` is there only when it says something. */
function condition ({ name, value, invert }: AskedFor): { readonly name: string, readonly value: string | undefined, readonly invert?: boolean } {
  return invert ? { name, value, invert } : { name, value }
}

/** What other readers of this language take for an expression among the plain hosts. */
const looksLikeExpression = /[[\](){}^$|+\\?]|[^*]\*|\*[^.]/

interface HostOrPattern { readonly text: string, readonly pattern: Pattern | undefined }

const hostOrPattern: ValueType<HostOrPattern> = {
  name: 'host',
  expected: host.expected,
  example: '"shop.example.com", "*.example.com"',
  json: host.json,
  parse (raw, context) {
    const plain = host.parse(raw, context)
    if ('value' in plain) return { value: { text: plain.value, pattern: undefined } }
    if (raw === '*') return { wrong: '', hint: 'leave the host out: any will do then' }
    if (typeof raw !== 'string' || !looksLikeExpression.test(raw) || isHostName(raw)) return plain
    const pattern = regex.parse(raw, context)
    return 'wrong' in pattern ? pattern : { value: { text: raw, pattern: compile(`^(?:${raw})$`) } }
  },
}

export const matchFields = {
  path: list(urlPath, [], 'The whole path.'),
  pathPrefix: list(urlPath, [], 'Beginning of the path, ending where a segment ends: "/api" matches /api and /api/x, not /apis.'),
  pathRegex: list(regex, [], 'An expression found anywhere in the path.'),
  host: list(hostOrPattern, [], 'Host that was asked for, without the port. "*.example.com" matches at any depth below.'),
  hostRegex: list(regex, [], 'An expression found anywhere in the host, which is in lower case and without the port.'),
  method: list(method, [], 'Methods.'),
  header: blocks({ name: required(token, 'Its name; case does not matter.'), value: asked, invert: inverted }, 'A request header field.', {
    args: ['name', 'value'], build: condition, example: 'header "X-Api-Version" "2"',
  }),
  queryParam: blocks({ name: required(anyText, 'Its name.'), value: asked, invert: inverted }, 'A parameter of the query.', {
    args: ['name', 'value'], build: condition, example: 'query-param "format" "json"',
  }),
}

export const matches = block(matchFields, 'Which requests the route takes: all kinds of conditions must hold, of one kind any. Headers and parameters must all be there.', {
  aliases: ['match'],
  example: `matches {
    path-prefix "/api"
    host "api.example.com" "*.api.example.com"
    method "GET" "POST"
    header "X-Api-Version" "2"
}`,
  build (value, here) {
    const { host: hosts, hostRegex } = value
    if (hosts.every(({ pattern }) => pattern === undefined)) return checked({ ...value, host: hosts.map(({ text }) => text), hostRegex }, here)
    here.report.note('CONFIG_OTHER_SPELLING', `'host' of ${here.scope} holds an expression: it belongs into 'host-regex'`, here.where('host'), 'there it needs ^ and $ to mean the whole host')
    if (hostRegex.length > 0) here.report.error('CONFIG_CONTRADICTION', `${here.scope} has expressions in both 'host' and 'host-regex'`, here.where('hostRegex'), 'write them all as host-regex')
    // Hosts are alternatives of one another: beside an expression the plain ones have to be expressions as well.
    return checked({ ...value, host: [], hostRegex: [...hostRegex, ...hosts.map(({ text, pattern }) => pattern ?? compile(asExpression(text)))] }, here)
  },
})

function asExpression (plain: string): string {
  const escaped = plain.replace(/[.[\]]/g, '\\$&')
  return plain.startsWith('*.') ? `^.+${escaped.slice(1)}$` : `^${escaped}$`
}

interface Conditions {
  readonly path: readonly string[]
  readonly pathPrefix: readonly string[]
  readonly pathRegex: readonly Pattern[]
  readonly host: readonly string[]
  readonly hostRegex: readonly Pattern[]
}

/** Conditions of different kinds must all hold: where none of one kind goes with any of the other, no request ever matches. */
function checked<M extends Conditions> (value: M, here: Here<typeof matchFields>): M {
  const { path, pathPrefix, pathRegex, host: hosts, hostRegex } = value
  const never = (first: string, second: keyof typeof matchFields, name: string): void => {
    here.report.error('CONFIG_CONTRADICTION', `${here.scope} can never match: no '${first}' of it goes with its '${name}'`, here.where(second), 'different conditions must all hold')
  }
  if (path.length > 0 && pathPrefix.length > 0 && !path.some(one => pathPrefix.some(prefix => isBelow(one, prefix)))) never('path', 'pathPrefix', 'path-prefix')
  if (path.length > 0 && pathRegex.length > 0 && !path.some(one => pathRegex.some(pattern => pattern.test(one)))) never('path', 'pathRegex', 'path-regex')
  const exact = hosts.every(one => !one.startsWith('*'))
  if (hosts.length > 0 && exact && hostRegex.length > 0 && !hosts.some(one => hostRegex.some(pattern => pattern.test(one)))) never('host', 'hostRegex', 'host-regex')
  const star = path.find(one => one.endsWith('/*'))
  if (star !== undefined) {
    here.report.warning('CONFIG_NO_EFFECT', `'path' of ${here.scope} is compared letter by letter: the star stands for itself`, here.where('path'),
      `write path-prefix "${star.slice(0, -2) || '/'}"`)
  }
  return value
}

/** Whether a path is the prefix or goes on from it at the border of a segment. */
export function isBelow (path: string, prefix: string): boolean {
  const bare = prefix.endsWith('/') ? prefix.slice(0, -1) : prefix
  return path.startsWith(bare) && (path.length === bare.length || path.charCodeAt(bare.length) === 0x2f)
}
