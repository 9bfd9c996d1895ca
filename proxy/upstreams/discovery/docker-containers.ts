import type { TargetSettings } from '../target.ts'
import { listOf, recordOf, textOf } from './http-api.ts'
import { DiscoveryError } from './source.ts'
import { believe, shown, usable } from './target-list.ts'

/** Which containers, and which of their addresses. */
export interface ContainerChoice {
  readonly service?: string
  readonly network?: string
}

type Facts = Readonly<Record<string, unknown>>

/** Labels that say which service a container is of: ours, that of Compose, that of Swarm. */
const serviceLabels = ['sentinel.service', 'com.docker.compose.service', 'com.docker.swarm.service.name']

/** What `GET /containers/json` answers. A container that wants requests and does not say where is left out, and told of. */
export function parseContainers (json: unknown, choice: ContainerChoice): ReturnType<typeof usable> {
  if (!Array.isArray(json)) throw new DiscoveryError('the answer of Docker is not a list of containers')
  return usable(json, (entry) => {
    const container = recordOf(entry)
    const labels = recordOf(container['Labels'])
    return isWanted(container, labels, choice) ? targetOf(container, labels, choice) : undefined
  })
}

function isWanted ({ State: state, Status: status }: Facts, labels: Facts, { service }: ContainerChoice): boolean {
  if (labels['sentinel.enable'] !== 'true' || state !== undefined && state !== 'running') return false
  // The list says what its health check found in words alone.
  if (typeof status === 'string' && /\((?:unhealthy|health: starting|paused)\)/i.test(status)) return false
  return service === undefined || serviceLabels.map((name) => labels[name]).find((value) => value !== undefined) === service
}

function targetOf (container: Facts, labels: Facts, { network }: ContainerChoice): TargetSettings {
  const name = textOf(listOf(container['Names'])[0])?.replace(/^\//, '') ?? String(container['Id']).slice(0, 12)
  return believe({
    host: addressOf(name, container, textOf(labels['sentinel.network']) ?? network), port: portOf(name, container, labels),
    weight: numberIn(labels['sentinel.weight']) ?? 1, priority: numberIn(labels['sentinel.priority']) ?? 0, zone: labels['sentinel.zone'],
    metadata: { container: name },
  })
}

function addressOf (name: string, container: Facts, wanted: string | undefined): string {
  const networks = Object.entries(recordOf(recordOf(container['NetworkSettings'])['Networks'])).toSorted(([a], [b]) => a < b ? -1 : 1)
  // It shares the addresses of the machine.
  if (networks.length === 1 && networks[0]?.[0] === 'host') return '127.0.0.1'
  // Compose puts the name of the project in front.
  const chosen = wanted === undefined ? networks : networks.filter(([network]) => network === wanted || network.endsWith(`_${wanted}`))
  const addresses = chosen.map(([, facts]) => textOf(recordOf(facts)['IPAddress']) ?? textOf(recordOf(facts)['GlobalIPv6Address'])).filter((one) => one !== undefined)
  const [address] = addresses
  if (address === undefined) throw new DiscoveryError(`container ${shown(name)} has no address${wanted === undefined ? '' : ` in the network ${shown(wanted)}`}`)
  if (addresses.length > 1 && wanted === undefined) throw new DiscoveryError(`container ${shown(name)} is in several networks: 'network' must say which`)
  return address
}

function portOf (name: string, container: Facts, labels: Facts): unknown {
  const written = labels['sentinel.port']
  if (written !== undefined) return numberIn(written) ?? written
  const ports = new Set(listOf(container['Ports']).map(recordOf).filter(({ Type: type }) => type === 'tcp').map(({ PrivatePort: port }) => port))
  if (ports.size !== 1) throw new DiscoveryError(`container ${shown(name)} has ${ports.size} ports: the label sentinel.port must say which`)
  return [...ports][0]
}

function numberIn (label: unknown): unknown {
  return typeof label === 'string' && /^\d{1,9}$/.test(label) ? Number(label) : label
}
