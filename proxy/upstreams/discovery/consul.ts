import { askApi, refusedWith, tlsOf, type Api, type TlsFiles } from './http-api.ts'
import { parseHealthyInstances } from './consul-instances.ts'
import type { Found, Source } from './source.ts'

export interface ConsulSettings extends TlsFiles {
  readonly host: string
  readonly port: number
  readonly socketPath?: string
  readonly secure: boolean
  readonly service: string
  readonly datacenter?: string
  readonly tag?: string
  readonly onlyPassing: boolean
  readonly token?: string
  /** How long a question waits for a change. */
  readonly intervalMs: number
  readonly timeoutMs: number
}

/** Instances of a service in Consul's catalogue, by blocking queries: an answer comes as soon as something changes. */
export function consulSource (settings: ConsulSettings): Source {
  const { intervalMs, timeoutMs } = settings
  /** State of the catalogue that was answered last; 0 = none. */
  let index = 0
  return {
    // Consul adds up to a sixteenth, so that not all who wait ask again together.
    patienceMs: intervalMs + intervalMs / 16 + timeoutMs,
    async ask (signal): Promise<Found> {
      const before = index
      // Whatever goes wrong: the next question does not wait.
      index = 0
      const until = before === 0 ? AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]) : signal
      const { status, headers, json } = await askApi(apiOf(settings), pathOf(settings, before), until)
      if (status !== 200) throw refusedWith(status, 'Consul')
      const found = parseHealthyInstances(json, settings.onlyPassing)
      const now = Number(headers['x-consul-index'])
      // It may be reset: what is not larger than before is to be asked for from the beginning. Without one there is nothing to wait for.
      if (!Number.isSafeInteger(now) || now < 1) return found
      index = now < before ? 0 : now
      return { ...found, againMs: 0 }
    },
  }
}

function apiOf ({ host, port, socketPath, secure, token, ...files }: ConsulSettings): Api {
  return {
    host, port, ...socketPath === undefined ? {} : { socketPath }, ...secure ? { tls: tlsOf(files) } : {},
    ...token === undefined ? {} : { headers: { 'X-Consul-Token': token } },
  }
}

function pathOf ({ service, datacenter, tag, onlyPassing, intervalMs }: ConsulSettings, index: number): string {
  const query = new URLSearchParams({
    ...onlyPassing ? { passing: '1' } : {}, ...datacenter === undefined ? {} : { dc: datacenter }, ...tag === undefined ? {} : { tag },
    ...index === 0 ? {} : { index: String(index), wait: `${Math.max(1, Math.round(intervalMs / 1000))}s` },
  })
  return `/v1/health/service/${encodeURIComponent(service)}?${query.toString()}`
}
