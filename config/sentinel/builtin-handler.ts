import type { Address } from '../schema/address.ts'
import { optionalBlock } from '../schema/blocks.ts'
import { optional, required, setting } from '../schema/fields.ts'
import type { Report } from '../schema/report.ts'
import { bool, oneOf, text } from '../schema/values.ts'
import type { ConfigTable } from './table.ts'

/** They say nothing about what is behind the proxy, and change nothing. */
const forEverybody: ReadonlySet<string> = new Set(['health', 'ready', 'not-found'])

const shortestToken = 16

export const builtinHandler = optionalBlock({
  handler: required(oneOf('status', 'health', 'ready', 'metrics', 'not-found', 'config', 'upstreams', 'cache-purge', 'cache-stats'), 'Which page.'),
  token: optional(text, 'What who asks has to show, as `Authorization: Bearer …`; at least 16 characters. Wherever it is asked from, then.', { secret: true, example: 'token "${file:/run/secrets/admin-token}"' }),
  public: setting(bool, false, 'Answer everybody on every listener, without a token.'),
}, 'Serve a page of the proxy itself. `health`, `ready` and `not-found` are for everybody; the others answer local clients of listeners on a loopback address or a Unix socket, or those who show the token. Behind another proxy on the same machine everybody is a local client: use a token there.', {
  args: ['handler'],
  mistaken: ['builtin'],
  example: `builtin-handler "config" {
    token "\${file:/run/secrets/admin-token}"
}`,
  build (value, here) {
    const { handler, token } = value
    const guarded = !forEverybody.has(handler)
    if (token !== undefined && token.length < shortestToken) {
      here.report.error('CONFIG_TYPE', `'token' of ${here.scope} needs at least ${shortestToken} characters`, here.where('token'), 'openssl rand -hex 32 makes one')
    }
    if (token !== undefined && value.public) here.report.error('CONFIG_CONTRADICTION', `${here.scope} has a token, and asks nobody for it`, here.where('public'))
    if (!guarded && here.given('token')) here.report.error('CONFIG_CONTRADICTION', `'${handler}' of ${here.scope} is for everybody`, here.where('token'), 'leave out the token')
    return { ...value, guarded }
  },
})

/** Whether only processes of this machine can connect. */
export function isLocal ({ host, path }: Address): boolean {
  return path !== undefined || host === 'localhost' || host === '::1' || host.startsWith('127.')
}

interface Guarding {
  readonly routes: readonly Pick<ConfigTable['routes'][number], 'id' | 'at' | 'builtinHandler'>[]
  readonly listeners: readonly Pick<ConfigTable['listeners'][number], 'address'>[]
}

/** Files of others put such pages on open listeners: they load, and the pages stay closed. */
export function checkHandlers ({ routes, listeners }: Guarding, report: Report): void {
  if (listeners.length === 0 || listeners.some(({ address }) => isLocal(address))) return
  for (const { id, at, builtinHandler: page } of routes) {
    if (page === undefined || !page.guarded || page.token !== undefined || page.public) continue
    report.warning('CONFIG_NO_EFFECT', `'${page.handler}' of route '${id}' answers on loopback addresses and Unix sockets only, and no listener has one: everybody gets 403`, at,
      'give it a token, or write a listener with address "127.0.0.1:9000"')
  }
}
