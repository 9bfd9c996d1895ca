import { list, optional, setting } from '../schema/fields.ts'
import { durationWithin, sizeWithin } from '../schema/quantities.ts'
import type { Here } from '../schema/read-block.ts'
import { bool, integer, ref, textLike } from '../schema/values.ts'
import { failureMode } from './failure-mode.ts'
import { belongsToProxy } from './header-edits.ts'
import type { ValueType } from '../schema/value.ts'
import { httpUrl, method, token } from './types.ts'

const pathAndQuery = textLike('a path that begins with "/"', /^\/[^\s#]*$/, '"/api/verify"')

/** As text: workers get the configuration as plain data. */
const serviceUrl: ValueType<string> = {
  name: httpUrl.name,
  expected: httpUrl.expected,
  example: '"http://auth.internal:9091/api/verify"',
  json: httpUrl.json,
  parse (raw, context) {
    const read = httpUrl.parse(raw, context)
    return 'wrong' in read ? read : { value: read.value.href }
  },
}

export const forwardAuthFilter = {
  url: optional(serviceUrl, 'What is asked about each request. An `upstream` in its place has health checks, several targets, or certificates of its own.', { aliases: ['address'] }),
  upstream: optional(ref('upstream'), 'Who is asked, by name.'),
  path: optional(pathAndQuery, 'With `upstream`: the path that is asked for; / without it.', { aliases: ['uri'] }),
  method: optional(method, 'Method of the question: GET without it, POST where the body is sent.'),
  requestHeaders: list(token, [], 'Header fields of the request that are sent along; all of them without it.', { commas: true, aliases: ['auth-request-headers'] }),
  responseHeaders: list(token, [], 'Header fields of a good answer that the upstream gets. What clients send under these names, or one that looks alike, is removed, on every route (Authorization and Cookie: here alone).', { commas: true, aliases: ['copy-headers', 'auth-response-headers'] }),
  userHeader: optional(token, 'Header field of a good answer that says who it is, for `${agent.user}`, for limits by `attribute:user` and for agents.'),
  passCookies: setting(bool, true, 'Whether cookies of a good answer are set in the client as well.'),
  redirectScripts: setting(bool, false, 'Give redirects to scripts, native programs and WebSockets as well. Without it they get 401, since they cannot show a page where somebody signs in.'),
  sendBody: setting(bool, false, 'Whether the body of the request is sent along. It is held in memory for that.', { aliases: ['forward-body'] }),
  maxBodySize: setting(sizeWithin('1', '64MiB'), '1MiB', 'Largest body that is sent along; requests with more get 413.'),
  maxAnswerSize: setting(sizeWithin('1', '64MiB'), '1MiB', 'Largest answer.'),
  timeout: setting(durationWithin('1ms', '5m'), '5s', 'Time for the whole answer.', { bareUnitMs: 1000, aliases: ['timeout-ms', 'timeout-secs'] }),
  maxConnections: setting(integer(1, 100_000), 100, 'With `url`: connections to it at a time.'),
  failureMode: setting(failureMode, 'closed', 'What it means when there is no answer, or one of status 5xx: closed = 503, open = go on without the fields.', { aliases: ['fail-mode'] }),
}

interface ForwardAuth {
  readonly url: string | undefined
  readonly responseHeaders: readonly string[]
  readonly sendBody: boolean
}

export function checkForwardAuth (value: ForwardAuth, here: Here<typeof forwardAuthFilter>): void {
  const { report, scope } = here
  if (here.given('url') && here.given('upstream')) report.error('CONFIG_CONTRADICTION', `${scope} has both 'url' and 'upstream'`, here.where('upstream'), 'only one of them is asked')
  else if (here.clean && !here.given('url') && !here.given('upstream')) report.error('CONFIG_MISSING', `${scope} does not say who is asked`, here.at, 'write url "http://auth.internal:9091/api/verify"')
  if (here.given('path') && here.given('url')) report.error('CONFIG_CONTRADICTION', `'path' of ${scope} stands beside 'url', which has one`, here.where('path'))
  if (here.given('maxConnections') && here.given('upstream')) report.error('CONFIG_CONTRADICTION', `'max-connections' of ${scope} is of 'url'; the upstream has its own`, here.where('maxConnections'), 'write connection-pool { max-connections … } in the upstream')
  const { username, password } = new URL(value.url ?? 'http://none')
  if (username + password !== '') report.error('CONFIG_TYPE', `the 'url' of ${scope} has a name or password in it`, here.where('url'), 'add it as a header field, by a filter of type "headers" in front')
  if (here.given('maxBodySize') && !value.sendBody) report.warning('CONFIG_NO_EFFECT', `'max-body-size' of ${scope} counts only with send-body #true`, here.where('maxBodySize'))
  for (const name of value.responseHeaders) {
    if (belongsToProxy(name)) report.error('CONFIG_CONTRADICTION', `${scope} takes ${name} from the answer, which the proxy writes itself`, here.where('responseHeaders'))
  }
}
