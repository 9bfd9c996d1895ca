import type { TargetSettings } from '../target.ts'
import { listOf, recordOf, textOf } from './http-api.ts'
import { DiscoveryError } from './source.ts'
import { believe, usable } from './target-list.ts'

/** What `GET /v1/health/service/NAME` answers. Instances whose checks are critical are left out in any case; maintenance is such a check. */
export function parseHealthyInstances (json: unknown, onlyPassing: boolean): ReturnType<typeof usable> {
  if (!Array.isArray(json)) throw new DiscoveryError('the answer of Consul is not a list of instances')
  return usable(json, (entry) => {
    const { Node: node, Service: service, Checks: checks } = recordOf(entry)
    const statuses = listOf(checks).map((check) => recordOf(check)['Status'])
    if (statuses.some((status) => status !== 'passing' && (onlyPassing || status !== 'warning'))) return undefined
    return instance(recordOf(node), recordOf(service), statuses.includes('warning'))
  })
}

function instance (node: Readonly<Record<string, unknown>>, service: Readonly<Record<string, unknown>>, warns: boolean): TargetSettings {
  const weights = recordOf(service['Weights'])
  const metadata = recordOf(service['Meta'])
  const zone = recordOf(service['Locality'])['Zone'] ?? recordOf(node['Locality'])['Zone'] ?? metadata['zone']
  return believe({
    // An instance without an address of its own has that of its node.
    host: textOf(service['Address']) ?? node['Address'], port: service['Port'], weight: weights[warns ? 'Warning' : 'Passing'] ?? 1, zone,
    metadata: { ...metadata, ...typeof node['Node'] === 'string' ? { node: node['Node'] } : {} },
  })
}
