import type { TargetSettings } from '../target.ts'
import { listOf, recordOf, textOf } from './http-api.ts'
import { DiscoveryError } from './source.ts'
import { believe, distinct } from './target-list.ts'

export interface Slice {
  readonly ports: ReadonlyArray<{ readonly name: string, readonly port: unknown }>
  readonly endpoints: readonly Endpoint[]
}

interface Endpoint {
  readonly address: string
  readonly ready: boolean
  /** It answers still, although it is about to end. */
  readonly lastResort: boolean
  readonly zone: string | undefined
  readonly metadata: Readonly<Record<string, string>>
}

/** An EndpointSlice of discovery.k8s.io/v1. */
export function parseSlice (item: unknown): Slice {
  const { ports, endpoints, addressType } = recordOf(item)
  if (addressType !== 'IPv4' && addressType !== 'IPv6' && addressType !== 'FQDN') throw new DiscoveryError('an EndpointSlice has addresses of a type that is not known')
  return {
    ports: listOf(ports).map(recordOf).filter(({ protocol = 'TCP' }) => protocol === 'TCP').map(({ name, port }) => ({ name: textOf(name) ?? '', port })),
    endpoints: listOf(endpoints).map(recordOf).flatMap((endpoint) => {
      // Of several addresses any one is as good, and the first is meant.
      const [address] = listOf(endpoint['addresses'])
      return typeof address === 'string' ? [endpointOf(address, endpoint)] : []
    }),
  }
}

function endpointOf (address: string, endpoint: Readonly<Record<string, unknown>>): Endpoint {
  const { ready, serving, terminating } = recordOf(endpoint['conditions'])
  // Who is to be asked from which zone, where the cluster says so: that is its zone for us, wherever it runs.
  const [hinted] = listOf(recordOf(endpoint['hints'])['forZones'])
  const pod = textOf(recordOf(endpoint['targetRef'])['name'])
  const node = textOf(endpoint['nodeName'])
  return {
    address,
    // What nobody knows counts as ready; what is ending never does, unless the service wants that.
    ready: ready !== false && ready !== undefined || ready === undefined && terminating !== true,
    lastResort: serving === true && terminating === true,
    zone: textOf(recordOf(hinted)['name']) ?? textOf(endpoint['zone']),
    metadata: { ...pod === undefined ? {} : { pod }, ...node === undefined ? {} : { node } },
  }
}

/** Endpoints that are ready; where there is none, those that are ending and answer still. */
export function targetsOf (slices: readonly Slice[], portName: string | undefined): TargetSettings[] {
  const all = slices.flatMap(({ ports, endpoints }) => {
    if (endpoints.length === 0) return []
    const port = portOf(ports, portName)
    return endpoints.map(({ address, zone, metadata, ready, lastResort }) => ({ ready, lastResort, target: believe({ host: address, port, zone, metadata }) }))
  })
  const ready = all.filter((one) => one.ready)
  return distinct((ready.length > 0 ? ready : all.filter((one) => one.lastResort)).map(({ target }) => target))
}

function portOf (ports: Slice['ports'], wanted: string | undefined): unknown {
  if (wanted !== undefined) {
    const found = ports.find(({ name }) => name === wanted)
    if (found === undefined) throw new DiscoveryError(`the service has no TCP port '${wanted}'; it has ${ports.map(({ name }) => `'${name}'`).join(', ') || 'none'}`)
    return found.port
  }
  if (ports.length !== 1) throw new DiscoveryError(`the service has ${ports.length} TCP ports${ports.length === 0 ? '' : `: 'port-name' must say which: ${ports.map(({ name }) => `'${name}'`).join(', ')}`}`)
  return ports[0]!.port
}
