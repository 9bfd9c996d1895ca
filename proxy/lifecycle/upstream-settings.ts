import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import type { SentinelConfig, UpstreamConfig } from '../../config/sentinel/index.ts'
import type { BalancingSettings, ChangeableSettings, ConnectingSettings, TargetSettings } from '../upstreams/index.ts'
import type { Surroundings } from './snapshot.ts'

export interface UpstreamParts {
  readonly connecting: ConnectingSettings
  readonly changeable: ChangeableSettings
}

type Around = Pick<Surroundings, 'env' | 'cookieSecret' | 'drainMs' | 'among'>

/** Which of how many workers this is, from 1. */
export interface Among {
  readonly number: number
  readonly workers: number
}

export const alone: Among = { number: 1, workers: 1 }

/** What one worker may have of a limit on targets, so that all together have no more; no less than one, or it could ask nobody. */
export function partOf (limit: number, { number, workers }: Among): number {
  if (limit === Infinity) return limit
  return Math.max(1, Math.floor(limit / workers) + (number <= limit % workers ? 1 : 0))
}

export function upstreamSettings (upstream: UpstreamConfig, config: SentinelConfig, around: Around): UpstreamParts {
  const { tls, timeouts, connectionPool, proxyProtocol } = upstream
  return {
    connecting: {
      id: upstream.id,
      connectTimeoutMs: timeouts.connect,
      readTimeoutMs: timeouts.read,
      writeTimeoutMs: timeouts.write,
      poolMaxConnections: partOf(connectionPool.maxConnections ?? Infinity, around.among),
      poolMaxWaiting: connectionPool.maxPending,
      ...connectionPool.pendingTimeout === undefined ? {} : { poolWaitTimeoutMs: connectionPool.pendingTimeout },
      poolIdleMs: connectionPool.idleTimeout,
      ...idleLimit(connectionPool.maxIdle, config.limits.maxIdleConnectionsPerUpstream),
      ...connectionPool.maxLifetime === undefined ? {} : { poolMaxAgeMs: connectionPool.maxLifetime },
      ...proxyProtocol === undefined ? {} : { proxyProtocol },
      ...http2Of(upstream),
      ...tls === undefined ? {} : { tls: tlsOf(tls, nameFound(upstream)) },
    },
    changeable: changeable(upstream, config, around),
  }
}

export function changeable (upstream: UpstreamConfig, config: SentinelConfig, around: Around): ChangeableSettings {
  const { slowStart, connectionDraining: draining, timeouts: { firstByte, request } } = upstream
  return {
    ...firstByte === undefined ? {} : { firstByteTimeoutMs: firstByte },
    ...request === undefined ? {} : { requestTimeoutMs: request },
    ...balancingOf(upstream, config, around),
    targets: upstream.targets.map((target) => targetOf(target, around.among)),
    panicShare: upstream.panicThreshold / 100,
    slowStartMs: slowStart?.enabled === true ? slowStart.duration : 0,
    drainMs: draining === undefined ? around.drainMs : draining.enabled ? draining.timeout : 0,
  }
}

function targetOf (target: UpstreamConfig['targets'][number], among: Among): TargetSettings {
  const { address: { host, port, path }, weight, maxRequests, priority, backup, metadata, zone = metadata['zone'] } = target
  return {
    host, port, weight, priority, backup, metadata,
    ...path === undefined ? {} : { path },
    ...maxRequests === undefined ? {} : { maxRequests: partOf(maxRequests, among) },
    ...zone === undefined ? {} : { zone },
  }
}

/** What tells this proxy from others of the same configuration. */
export function instanceOf ({ system }: Pick<SentinelConfig, 'system'>, env: Around['env']): string {
  return system.instanceId ?? env['SENTINEL_INSTANCE_ID'] ?? hostname()
}

function balancingOf ({ id, loadBalancing }: UpstreamConfig, { system }: SentinelConfig, { env, cookieSecret }: Around): BalancingSettings {
  const { policy, key, subsetSize, cookieName, cookieTtl, cookiePath, cookieSecure, cookieSameSite, cookieSecret: secret, fallback } = loadBalancing
  return {
    balance: policy,
    ...key === undefined ? {} : { hashKey: key },
    subsetSize,
    zone: system.zone ?? env['SENTINEL_ZONE'] ?? '',
    instance: instanceOf({ system }, env),
    ...policy !== 'sticky' ? {} : {
      sticky: {
        cookieName, path: cookiePath, ttlMs: cookieTtl, secure: cookieSecure, sameSite: cookieSameSite, fallback,
        secret: secret ?? createHmac('sha256', cookieSecret).update(id).digest('base64'),
      },
    },
  }
}

/** Targets that were found by a name are who has that name; of SRV records, who has the domain that was asked for: what an answer says proves nothing. */
function nameFound ({ discovery }: UpstreamConfig): string | undefined {
  return discovery?.kind !== 'dns' ? undefined : discovery.isService ? discovery.hostname.split('.').slice(2).join('.') : discovery.hostname
}

function tlsOf (tls: NonNullable<UpstreamConfig['tls']>, found: string | undefined): NonNullable<ConnectingSettings['tls']> {
  const { insecureSkipVerify, sni = found, caCert, clientCert, clientKey } = tls
  return {
    insecureSkipVerify,
    ...sni === undefined ? {} : { sni },
    ...caCert === undefined ? {} : { ca: readFileSync(caCert, 'utf8') },
    ...clientCert === undefined ? {} : { cert: readFileSync(clientCert, 'utf8') },
    ...clientKey === undefined ? {} : { key: readFileSync(clientKey, 'utf8') },
  }
}

/** Without TLS there is no handshake in which a target could choose; behind a PROXY header each connection is its client's. */
function http2Of ({ httpVersion, tls, proxyProtocol }: UpstreamConfig): Pick<ConnectingSettings, 'http2'> {
  const { minVersion, maxVersion, h2PingInterval: pingIntervalMs, maxH2Streams: maxStreams } = httpVersion
  if (proxyProtocol !== undefined || maxVersion === 1 || tls === undefined && minVersion === 1) return {}
  return { http2: { when: minVersion === 2 ? 'always' : 'chosen', maxStreams, pingIntervalMs } }
}

function idleLimit (ofTarget: number | undefined, ofUpstream: number | undefined): Pick<ConnectingSettings, 'poolMaxIdle' | 'poolMaxIdleTotal'> {
  if (ofTarget !== undefined) return { poolMaxIdle: ofTarget }
  return ofUpstream === undefined ? {} : { poolMaxIdleTotal: ofUpstream }
}
