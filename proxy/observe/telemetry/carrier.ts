import type { Carrier, CollectorSettings, Signal } from './delivery.ts'
import { grpcCarrier } from './grpc-carrier.ts'
import { httpCarrier } from './http-carrier.ts'

/** How the configuration says that a collector is reached. */
export interface CollectorConfig {
  readonly endpoint: string
  readonly protocol: 'grpc' | 'http' | 'http/json'
  readonly timeout: number
  readonly headers: Readonly<Record<string, string>>
  readonly tokenFile: string | undefined
}

/** The way of one signal to a collector that speaks OTLP. */
export function carrierOf (config: CollectorConfig, signal: Signal): Carrier {
  const { endpoint, protocol } = config
  const collector = settingsOf(config)
  if (protocol === 'grpc') return grpcCarrier(collector, signal)
  const json = protocol === 'http/json'
  return httpCarrier({
    ...collector, endpoint: withPath(endpoint, `/v1/${signal}`), contentType: json ? 'application/json' : 'application/x-protobuf', readsAnswer: !json,
  })
}

export function zipkinCarrier (config: CollectorConfig): Carrier {
  return httpCarrier({ ...settingsOf(config), endpoint: withPath(config.endpoint, '/api/v2/spans'), contentType: 'application/json', readsAnswer: false })
}

function settingsOf ({ endpoint, timeout, headers, tokenFile }: CollectorConfig): CollectorSettings {
  return { endpoint, timeoutMs: timeout, headers, tokenFile }
}

/** Operators write where the collector is, or the whole URL (OTLP exporter configuration, "Endpoint URLs for OTLP/HTTP"). */
function withPath (endpoint: string, path: string): string {
  const url = new URL(endpoint)
  if (!url.pathname.endsWith(path)) url.pathname = url.pathname.replace(/\/$/, '') + path
  return url.href
}
