import type { ListenerConfig, SentinelConfig } from '../../config/sentinel/index.ts'
import type { Binding, ListenerSettings } from '../listeners/index.ts'
import { limitsOfListener } from './scope-rules.ts'

/** What is to be known of whatever listens on an address, to bind it. */
export type SocketOwner = Pick<ListenerConfig, 'id' | 'address' | 'backlog' | 'ipv6Only' | 'reusePort' | 'socketMode' | 'socketOwner' | 'socketGroup'>

/** Listeners of the same key are the same socket. Which port 0 becomes is the system's choice, once for each listener. */
export function socketKey ({ id, address: { host, port, path }, ipv6Only, reusePort }: SocketOwner): string {
  if (path !== undefined) return `unix:${path}`
  return [host, port, ...port === 0 ? [id] : [], ...ipv6Only ? ['ipv6-only'] : [], ...reusePort ? ['reuse-port'] : []].join(' ')
}

export function bindingOf (listener: SocketOwner): Binding {
  const { address: { host, port }, backlog, ipv6Only, reusePort } = listener
  return { host, port, ...unixOf(listener), backlog, ipv6Only, reusePort }
}

/** Everything about a listener but what its files hold. */
export function listenerSettings (listener: ListenerConfig, config: SentinelConfig): Omit<ListenerSettings, 'tls'> {
  const limits = limitsOfListener(listener, config)
  return {
    id: listener.id,
    ...bindingOf(listener),
    ...listener.proxyProtocol === undefined ? {} : { proxyProtocol: { from: listener.proxyProtocol.from, required: listener.proxyProtocol.required } },
    priorKnowledge: listener.protocol === 'h2',
    maxConcurrentStreams: listener.maxConcurrentStreams,
    requestTimeoutMs: listener.requestTimeout,
    bodyIdleTimeoutMs: listener.requestTimeout,
    keepaliveTimeoutMs: listener.keepaliveTimeout,
    ...listener.keepaliveMaxRequests === undefined ? {} : { keepaliveMaxRequests: listener.keepaliveMaxRequests },
    maxHeaderBytes: limits.maxHeaderSize,
    maxHeaderCount: limits.maxHeaderCount,
    maxHeaderNameBytes: limits.maxHeaderNameSize,
    ...limits.maxHeaderValueSize === undefined ? {} : { maxHeaderValueBytes: limits.maxHeaderValueSize },
    maxConnections: limits.maxTotalConnections,
  }
}

function unixOf ({ address: { path }, socketMode = 0o660, socketOwner, socketGroup }: SocketOwner): Pick<ListenerSettings, 'unix'> {
  if (path === undefined) return {}
  const owner = socketOwner === undefined ? {} : { owner: socketOwner }
  const group = socketGroup === undefined ? {} : { group: socketGroup }
  return { unix: { path, mode: socketMode, ...owner, ...group } }
}
