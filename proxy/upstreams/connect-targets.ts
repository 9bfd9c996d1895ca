import type { Timeouts } from './attempt.ts'
import { Connections, type IdleCount, type Pace } from './connections.ts'
import type { SharingSettings } from './shared-link.ts'
import type { TargetSettings } from './target.ts'
import type { ConnectingSettings } from './upstream.ts'

/** How each target of the upstream gets its connections. */
export function connectWith (settings: ConnectingSettings, pace: Pace): (target: TargetSettings) => Connections {
  const allIdle: IdleCount = { max: settings.poolMaxIdleTotal ?? Infinity, now: 0 }
  return ({ host, port, path }) => new Connections({
    host,
    port,
    path,
    maxIdle: settings.poolMaxIdle ?? Infinity,
    allIdle,
    maxAgeMs: settings.poolMaxAgeMs ?? Infinity,
    connectTimeoutMs: settings.connectTimeoutMs,
    maxConnections: settings.poolMaxConnections,
    idleMs: settings.poolIdleMs,
    waitTimeoutMs: settings.poolWaitTimeoutMs ?? settings.connectTimeoutMs,
    maxWaiting: settings.poolMaxWaiting ?? 1_000,
    tls: settings.tls,
    sharing: sharingOf(settings),
    pace,
  })
}

/** How often connections look at the clock, before anybody has asked for more. */
export function paceOf ({ connectTimeoutMs, readTimeoutMs, writeTimeoutMs, poolIdleMs, http2 }: ConnectingSettings): Pace {
  const pingMs = http2 === undefined || http2.pingIntervalMs === 0 ? Infinity : http2.pingIntervalMs
  return { tickMs: tickFor(connectTimeoutMs, readTimeoutMs, writeTimeoutMs, poolIdleMs, pingMs) }
}

/** From here on, none of these time-outs is late. */
export function quicken (pace: Pace, { connectTimeoutMs, firstByteTimeoutMs, readTimeoutMs, writeTimeoutMs, requestTimeoutMs }: Timeouts): void {
  pace.tickMs = Math.min(pace.tickMs, tickFor(connectTimeoutMs, firstByteTimeoutMs, readTimeoutMs, writeTimeoutMs, requestTimeoutMs))
}

/** Often enough that none of these times is late by more than an eighth of it or a quarter of a second. */
function tickFor (...timesMs: readonly number[]): number {
  return Math.max(10, Math.min(250, Math.min(...timesMs) / 8))
}

function sharingOf ({ http2, tls, connectTimeoutMs, readTimeoutMs, writeTimeoutMs }: ConnectingSettings): SharingSettings | undefined {
  if (http2 === undefined) return undefined
  const { when, maxStreams, pingIntervalMs } = http2
  return {
    mayChoose: when === 'chosen', secure: tls !== undefined, maxStreams,
    pingIntervalMs: pingIntervalMs === 0 ? Infinity : pingIntervalMs, connectTimeoutMs, readTimeoutMs, writeTimeoutMs,
  }
}
