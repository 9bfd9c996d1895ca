import { optionalBlock } from '../schema/blocks.ts'
import { list, setting } from '../schema/fields.ts'
import { bool, textLike } from '../schema/values.ts'

/** RFC 9110, 5.6.2, where a `*` at the end stands for any more of it. */
export const fieldNames = textLike('the name of a header field, or the beginning of some and "*"', /^[!#$%&'+.^_`|~0-9A-Za-z-]*(?:[!#$%&'+.^_`|~0-9A-Za-z-]|\*)$/, '"Authorization", "X-Internal-*"')

const attributeNames = textLike('the name of an attribute, or the beginning of some and "*"', /^[\x21-\x29\x2b-\x7e]*(?:[\x21-\x29\x2b-\x7e]|\*)$/, '"user", "risk-*"')

export const see = optionalBlock({
  headers: list(fieldNames, [], 'Header fields of requests and answers, and fields behind bodies, that it is shown, and no others; all without it.'),
  hide: list(fieldNames, [], 'Header fields that it is not shown, whatever `headers` says. What a field says is not shown in another place either: `host` hides the host, `content-length` the length of a body, `traceparent` the trace.'),
  query: setting(bool, true, 'Whether it is shown the query.'),
  bodies: setting(bool, true, 'Whether it may be shown bodies, what is behind them, and messages of WebSockets, whatever it, its `events` or a filter wants.'),
  clientCertificate: setting(bool, true, 'Whether it is told the subject, the other names and the fingerprint of a client\'s certificate.'),
}, 'What the agent is shown of an exchange; all that it asks for without it. What is hidden does not leave the proxy. Names count under every spelling: `authorization` hides `Authorization` and `AUTHORIZATION`, `x-user` hides `X_User` and `x.user` as well.', {
  example: `see {
    hide "authorization" "cookie" "set-cookie" "x-internal-*"
    client-certificate #false
}`,
  build (value, here) {
    const nothing = value.headers.length === 0 && value.hide.length === 0 && value.query && value.bodies && value.clientCertificate
    if (nothing && here.clean) here.report.warning('CONFIG_NO_EFFECT', `${here.scope} hides nothing`, here.at, 'write hide "authorization"')
    return value
  },
})

export const may = optionalBlock({
  requestHeaders: list(fieldNames, ['*'], 'Header fields of requests that it may set, add to and remove.'),
  responseHeaders: list(fieldNames, ['*'], 'Header fields of answers that it may set, add to and remove.'),
  notHeaders: list(fieldNames, [], 'Header fields that it may not change, whatever those two say, nor give to answers of its own.'),
  rewrite: setting(bool, true, 'Whether it may change path and query.'),
  chooseUpstream: setting(bool, true, 'Whether it may choose another one of the upstreams that the route lists.'),
  replaceBodies: setting(bool, true, 'Whether it may put others in the place of bodies, and change or drop pieces of them and messages of WebSockets.'),
  attributes: list(attributeNames, ['*'], 'Attributes that it may attach and remove, for later agents and the log.'),
}, 'What the agent may change of an exchange; all that the protocol knows without it. A decision that wants more is not applied in any part: it counts as a failure, AGENT_NOT_ALLOWED, and the failure mode says what becomes of the exchange. What belongs to the connection, to the framing or to the proxy itself (`Host`, `Content-Length`, `X-Forwarded-For`, …) no agent may ever change.', {
  example: `may {
    request-headers "x-user" "x-risk-*"
    response-headers "set-cookie"
    rewrite #false
    attributes "risk-*"
}`,
})
