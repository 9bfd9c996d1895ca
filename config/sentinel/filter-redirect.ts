import { optional, setting } from '../schema/fields.ts'
import type { Here } from '../schema/read-block.ts'
import type { ValueType } from '../schema/value.ts'
import { unfit } from '../schema/value.ts'
import { integer, oneOf } from '../schema/values.ts'
import { host, urlPath } from './types.ts'

const redirectCodes: readonly number[] = [301, 302, 303, 307, 308]

const redirectCode: ValueType<number> = {
  name: 'status',
  expected: `one of ${redirectCodes.join(', ')}`,
  json: { enum: [...redirectCodes] },
  parse: raw => typeof raw === 'number' && redirectCodes.includes(raw) ? { value: raw } : unfit,
}

const elsewhere = {
  hostname: optional(host, 'Another host.', { aliases: ['host'] }),
  replaceFullPath: optional(urlPath, 'Another path, whole.'),
  replacePrefixMatch: optional(urlPath, 'Another beginning of the path, in place of what `path-prefix` of the route matched.'),
}

export const redirectFilter = {
  statusCode: setting(redirectCode, 302, 'Status of the answer.'),
  scheme: optional(oneOf('http', 'https'), 'Another scheme.'),
  port: optional(integer(1, 65_535), 'Another port.'),
  ...elsewhere,
}

export const urlRewriteFilter = elsewhere

const changes = ['scheme', 'port', 'hostname', 'replaceFullPath', 'replacePrefixMatch'] as const

/** Somewhere else, and only one path to go to. */
export function checkElsewhere (_value: unknown, here: Here<typeof elsewhere>): void {
  if (here.given('replaceFullPath') && here.given('replacePrefixMatch')) {
    here.report.error('CONFIG_CONTRADICTION', `${here.scope} has both 'replace-full-path' and 'replace-prefix-match'`, here.where('replacePrefixMatch'))
  }
  // A url-rewrite has fewer of them: what a block does not declare is never given.
  if (here.clean && changes.every(name => !here.given(name as keyof typeof elsewhere))) {
    here.report.error('CONFIG_MISSING', `${here.scope} does not say where to`, here.at, 'write hostname "…", replace-full-path "/…" or replace-prefix-match "/…"')
  }
}
