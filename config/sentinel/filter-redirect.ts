import { optional, setting } from '../schema/fields.ts'
import { kebab } from '../schema/field.ts'
import type { Here } from '../schema/read-block.ts'
import type { ValueType } from '../schema/value.ts'
import { unfit } from '../schema/value.ts'
import { regex } from '../schema/regex.ts'
import { integer, oneOf, textLike } from '../schema/values.ts'
import { host, urlPath } from './types.ts'

const redirectCodes: readonly number[] = [301, 302, 303, 307, 308]

const redirectCode: ValueType<number> = {
  name: 'status',
  expected: `one of ${redirectCodes.join(', ')}`,
  json: { enum: [...redirectCodes] },
  parse: raw => typeof raw === 'number' && redirectCodes.includes(raw) ? { value: raw } : unfit,
}

const pathPattern = textLike('a path that begins with "/"', /^[^\s?#]+$/, '"/people/$1"')

const elsewhere = {
  hostname: optional(host, 'Another host.', { aliases: ['host'] }),
  replaceFullPath: optional(urlPath, 'Another path, whole.'),
  pathRegex: optional(regex, 'What of the path is replaced by `substitution`, as it was sent: `#"^/users/(\\d+)"#`. A path that it does not match stays, and is not redirected.', { aliases: ['regex', 'match-regex'] }),
  substitution: optional(pathPattern, 'What stands in its place; `$1` is its first group.', { aliases: ['replacement'] }),
  replacePrefixMatch: optional(urlPath, 'Another beginning of the path, in place of what `path-prefix` of the route matched.'),
}

export const redirectFilter = {
  statusCode: setting(redirectCode, 302, 'Status of the answer.'),
  scheme: optional(oneOf('http', 'https'), 'Another scheme.'),
  port: optional(integer(1, 65_535), 'Another port.'),
  ...elsewhere,
}

export const urlRewriteFilter = elsewhere

const changes = ['scheme', 'port', 'hostname', 'replaceFullPath', 'replacePrefixMatch', 'pathRegex'] as const

/** Somewhere else, and only one path to go to. */
export function checkElsewhere (_value: unknown, here: Here<typeof elsewhere>): void {
  const paths = (['replaceFullPath', 'replacePrefixMatch', 'pathRegex'] as const).filter(name => here.given(name))
  const [first, second] = paths
  if (first !== undefined && second !== undefined) {
    here.report.error('CONFIG_CONTRADICTION', `${here.scope} has both '${kebab(first)}' and '${kebab(second)}'`, here.where(second))
  }
  if (here.given('pathRegex') !== here.given('substitution')) {
    const [has, lacks] = here.given('pathRegex') ? ['pathRegex', 'substitution'] as const : ['substitution', 'pathRegex'] as const
    here.report.error('CONFIG_MISSING', `${here.scope} has '${kebab(has)}' and no '${kebab(lacks)}'`, here.where(has), 'write path-regex #"^/old/(.*)"# and substitution "/new/$1"')
  }
  // A url-rewrite has fewer of them: what a block does not declare is never given.
  if (here.clean && changes.every(name => !here.given(name as keyof typeof elsewhere))) {
    here.report.error('CONFIG_MISSING', `${here.scope} does not say where to`, here.at, 'write hostname "…", replace-full-path "/…" or replace-prefix-match "/…"')
  }
}
