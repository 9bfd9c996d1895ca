import type { KdlNode } from '../kdl/nodes.ts'
import type { Address } from '../schema/address.ts'
import { listenerAddress, peerRange } from '../schema/address.ts'
import { named } from '../schema/blocks.ts'
import type { OlderForms } from '../schema/field.ts'
import { list, optional, required, setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import type { Here } from '../schema/read-block.ts'
import { bool, integer, ref, words } from '../schema/values.ts'
import { checkSocket, socketFields } from './listener-socket.ts'
import { rateLimit } from './rate-limit-fields.ts'
import { tls } from './tls.ts'

const noQuic = 'HTTP/3 needs QUIC, which Node.js does not speak'

/** "h2" says nothing about TLS: whether there is a `tls` block does. */
const protocol = words(['http', 'https', 'h2'], { also: { h2: ['http2', 'h2c'] }, refused: { h3: noQuic, http3: noQuic } })

export const listenerFields = {
  address: required(listenerAddress, 'IP and port to listen on, or a Unix socket. Port 0 lets the system choose.', { aliases: ['bind-address', 'bind'] }),
  protocol: setting(protocol, 'http', 'What clients speak; https without being said when there is a `tls` block. Over TLS, clients choose between HTTP/2 and HTTP/1.1; without it, h2 lets those speak HTTP/2 who begin with it.'),
  requestTimeout: setting(durationWithin('1ms'), '60s', 'How long a client may take to send a request head, to send more of a body, and to take more of an answer; for the handshake of TLS 10 seconds at most.', { aliases: ['request-timeout-secs'] }),
  keepaliveTimeout: setting(durationWithin('1ms'), '75s', 'How long a connection may stay open without a request.', { aliases: ['keepalive-timeout-secs'] }),
  keepaliveMaxRequests: optional(integer(1, 1_000_000_000), 'Requests on one connection before it is closed; without it there is no such limit.'),
  trustedProxies: list(peerRange, [], 'Senders whose `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host` are believed; "unix:" are all that come in through a Unix socket.'),
  ...socketFields,
  tls,
  namespace: optional(ref('namespace', 'service'), 'Serve the routes of this namespace only ("tenant"), or of this service of one ("tenant:payments"). Without it a listener that stands outside of namespaces serves the routes outside of them, and one inside those of the namespace or service around it.'),
  maxConcurrentStreams: setting(integer(1, 1_000_000), 100, 'Requests that one HTTP/2 connection may have open.'),
  defaultRoute: optional(ref('route'), 'Route for requests that no route takes by its conditions; without it they get 404.'),
  rateLimit,
  redirectHttps: setting(bool, false, 'Send clients to the same address under https; those for whom a trusted proxy spoke https already are served.', { aliases: ['redirect-to-https', 'https-redirect'] }),
}

interface ListenerAsGiven {
  readonly address: Address
  readonly reusePort: boolean
  readonly ipv6Only: boolean
  readonly protocol: 'http' | 'https' | 'h2'
  readonly tls: unknown
  readonly namespace: string | undefined
  readonly redirectHttps: boolean
}

function readListener<L extends ListenerAsGiven> (value: L, here: Here<typeof listenerFields>): L {
  const { report } = here
  const encrypted = here.given('tls')
  if (value.protocol === 'https' && !encrypted) {
    report.error('CONFIG_CONTRADICTION', `${here.scope} speaks https but has no 'tls' block`, here.where('protocol'), 'write tls { cert-file "…"; key-file "…" }')
  }
  if (value.protocol === 'http' && encrypted && here.given('protocol')) {
    report.error('CONFIG_CONTRADICTION', `${here.scope} has a 'tls' block but speaks plain http`, here.where('tls'), 'write protocol "https"')
  }
  if (value.redirectHttps && encrypted) {
    report.error('CONFIG_CONTRADICTION', `${here.scope} speaks https and sends clients to https`, here.where('redirectHttps'), 'it belongs to the listener of plain http')
  }
  checkSocket(value, here)
  if (value.namespace !== undefined && here.names !== '') {
    report.error('CONFIG_CONTRADICTION', `${here.scope} stands in namespace '${here.names}', and serves that`, here.where('namespace'), 'leave out namespace, or put the listener outside')
  }
  return encrypted ? { ...value, protocol: 'https' } : value
}

export const listeners = named('listener', listenerFields, 'Where requests come in.', {
  min: 1,
  build: readListener,
  example: `listeners {
    listener "web" {
        address "0.0.0.0:8080"
        request-timeout "30s"
        // The load balancer in front tells who the client is:
        trusted-proxies "10.0.0.0/8"
    }
}`,
})

const looksLikeAddress = /^(?:\[[0-9A-Fa-f:.]+\]|[^:[\]\s/]*):\d{1,5}$/

function isAddressed (node: KdlNode): boolean {
  const [id] = node.args
  const says = [...node.props, ...node.children ?? []].some(({ name }) => ['address', 'bind-address', 'bind'].includes(name))
  return typeof id?.value === 'string' && looksLikeAddress.test(id.value) && !says
}

/** `listener "0.0.0.0:80" { … }`: the name is the address. */
function withAddress (node: KdlNode): KdlNode {
  if (node.name !== 'listener' || !isAddressed(node)) return node
  return { ...node, children: [{ name: 'address', at: node.at, args: node.args.slice(0, 1), props: [], children: undefined }, ...node.children ?? []] }
}

/** Other shapes of listeners, for whatever block they stand in. */
export const olderListeners: OlderForms = {
  listeners: {
    doc: 'write listener "name" { address "…" }',
    when: node => (node.children ?? []).some(child => child.name === 'listener' && isAddressed(child)),
    into: node => [{ ...node, children: (node.children ?? []).map(withAddress) }],
  },
  listener: {
    doc: 'write listener "name" { address "…" }',
    when: isAddressed,
    into: node => [withAddress(node)],
  },
}

/** How URLs that lead here begin: "h2" is spoken without TLS beside HTTP/1.1. */
export function schemeOf ({ protocol }: Pick<ListenerAsGiven, 'protocol'>): 'http' | 'https' {
  return protocol === 'https' ? 'https' : 'http'
}
