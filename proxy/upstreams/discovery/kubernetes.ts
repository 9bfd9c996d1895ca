import { clusterOf } from './cluster.ts'
import { parseSlice, targetsOf, type Slice } from './endpoint-slices.ts'
import { askApi, followApi, recordOf, refusedWith, textOf, type Api } from './http-api.ts'
import { DiscoveryError, type Found, type Source } from './source.ts'

export interface KubernetesSettings {
  readonly namespace: string
  readonly service: string
  readonly portName?: string
  readonly kubeconfig?: string
  /** How long changes are waited for with one question. */
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where a pod finds its credentials. */
  readonly serviceAccount?: string
}

/** What was seen of the cluster, and up to which of its versions. */
interface Seen {
  readonly slices: Map<string, Slice>
  version: string
}

/** More pages than any service has slices. */
const maxPages = 100
const pageSize = 500

/** Endpoints of a service, from its EndpointSlices: listed once, then watched. */
export function kubernetesSource (settings: KubernetesSettings): Source {
  const { intervalMs, timeoutMs, portName } = settings
  let seen: Seen | undefined
  return {
    patienceMs: intervalMs + timeoutMs,
    async ask (signal): Promise<Found> {
      const before = seen
      // Whatever goes wrong: everything is listed anew.
      seen = undefined
      const api = clusterOf(settings)
      const now = before === undefined ? await list(api, settings, signal) : await watch(api, settings, before, signal)
      const targets = targetsOf([...now.slices.values()], portName)
      seen = now
      return { targets, againMs: 0 }
    },
  }
}

function pathOf ({ namespace, service }: KubernetesSettings, query: Readonly<Record<string, string>>): string {
  const all = new URLSearchParams({ labelSelector: `kubernetes.io/service-name=${service}`, ...query })
  return `/apis/discovery.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/endpointslices?${all.toString()}`
}

async function list (api: Api, settings: KubernetesSettings, end: AbortSignal): Promise<Seen> {
  const signal = AbortSignal.any([end, AbortSignal.timeout(settings.timeoutMs)])
  const slices = new Map<string, Slice>()
  let next: string | undefined
  for (let page = 0; page < maxPages; page++) {
    const { status, json } = await askApi(api, pathOf(settings, { limit: String(pageSize), ...next === undefined ? {} : { continue: next } }), signal)
    if (status !== 200) throw refusedWith(status, 'Kubernetes')
    const { items, metadata } = recordOf(json)
    if (!Array.isArray(items)) throw new DiscoveryError('the answer of Kubernetes is not a list')
    for (const item of items) keep(slices, item)
    const { resourceVersion, continue: more } = recordOf(metadata)
    next = textOf(more)
    if (next === undefined) return { slices, version: textOf(resourceVersion) ?? '' }
  }
  throw new DiscoveryError(`the answer of Kubernetes has more than ${maxPages} pages`)
}

/** Resolves with the first change, or with the same when there was none for as long as is waited for. */
async function watch (api: Api, settings: KubernetesSettings, before: Seen, signal: AbortSignal): Promise<Seen> {
  const seen = { slices: new Map(before.slices), version: before.version }
  const query = {
    watch: '1', allowWatchBookmarks: 'true', resourceVersion: seen.version, timeoutSeconds: String(Math.max(1, Math.round(settings.intervalMs / 1000))),
  }
  let expired = false
  const status = await followApi(api, pathOf(settings, query), signal, (json) => {
    const { type, object } = recordOf(json)
    if (type === 'ERROR') {
      const { code, message } = recordOf(object)
      if (code !== 410) throw new DiscoveryError(`Kubernetes ended the watch: ${typeof message === 'string' ? message.slice(0, 200) : String(code)}`)
      expired = true
      return true
    }
    const version = textOf(recordOf(recordOf(object)['metadata'])['resourceVersion'])
    if (version !== undefined) seen.version = version
    if (type === 'BOOKMARK') return false
    if (type === 'DELETED') seen.slices.delete(nameIn(object))
    else if (type === 'ADDED' || type === 'MODIFIED') keep(seen.slices, object)
    else throw new DiscoveryError('Kubernetes told of a change of a kind that is not known')
    return true
  })
  // What was seen is too long ago for the cluster to tell what came after (RFC 9110 section 15.5.11).
  if (expired || status === 410) return list(api, settings, signal)
  if (status !== 200) throw refusedWith(status, 'Kubernetes')
  return seen
}

function keep (slices: Map<string, Slice>, item: unknown): void {
  slices.set(nameIn(item), parseSlice(item))
  if (slices.size > pageSize * maxPages) throw new DiscoveryError('the service has too many slices')
}

function nameIn (item: unknown): string {
  const name = textOf(recordOf(recordOf(item)['metadata'])['name'])
  if (name === undefined) throw new DiscoveryError('an EndpointSlice has no name')
  return name
}
