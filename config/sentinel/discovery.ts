import { address, addressOrUrl } from '../schema/address.ts'
import { optionalBlock } from '../schema/blocks.ts'
import { settingName } from '../schema/field.ts'
import { list, optional, required, setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import type { Here } from '../schema/read-block.ts'
import { bool, integer, oneOf, path, text, textLike } from '../schema/values.ts'

const every = durationWithin('1s', '1d')
const hostName = textLike('a host name', /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})$/, '"api.internal.example.com"')
const inSeconds = { bareUnitMs: 1000 }

const fields = {
  kind: required(oneOf('dns', 'consul', 'kubernetes', 'file', 'static'), 'Who is asked.', { aliases: ['type'] }),
  hostname: optional(hostName, 'dns: name whose addresses are the targets.', { aliases: ['host'] }),
  port: optional(integer(1, 65_535), 'dns: port of the targets.'),
  address: optional(addressOrUrl, 'consul: address of its HTTP interface.'),
  service: optional(text, 'consul, kubernetes: name of the service.'),
  datacenter: optional(text, 'consul: another datacenter than that of the agent.'),
  tag: optional(text, 'consul: only instances with this tag.'),
  onlyPassing: setting(bool, true, 'consul: only instances whose checks pass.'),
  namespace: optional(text, 'kubernetes: namespace of the service.'),
  portName: optional(text, 'kubernetes: which of the service\'s ports.'),
  kubeconfig: optional(text, 'kubernetes: file with the address and credentials of the cluster; those of the pod without it.'),
  path: optional(path, 'file: lines of host:port, with weight=N behind where it is not 1.'),
  backends: list(address, [], 'static: the targets.'),
  refreshInterval: optional(every, 'dns, consul, kubernetes: time between two questions; 30s for dns, 10s for the others.', { ...inSeconds, aliases: ['refresh-interval-secs'] }),
  watchInterval: optional(every, 'file: time between two looks at the file; 5s without it.', { ...inSeconds, aliases: ['watch-interval-secs'] }),
}

type Name = Exclude<keyof typeof fields, 'kind'>

/** What each kind must have, and what it may have. */
const settings: Readonly<Record<'dns' | 'consul' | 'kubernetes' | 'file' | 'static', { readonly needs: readonly Name[], readonly takes: readonly Name[] }>> = {
  dns: { needs: ['hostname', 'port'], takes: ['refreshInterval'] },
  consul: { needs: ['address', 'service'], takes: ['datacenter', 'tag', 'onlyPassing', 'refreshInterval'] },
  kubernetes: { needs: ['namespace', 'service'], takes: ['portName', 'kubeconfig', 'refreshInterval'] },
  file: { needs: ['path'], takes: ['watchInterval'] },
  static: { needs: ['backends'], takes: [] },
}

export const discovery = optionalBlock(fields, 'Find the targets by asking somebody.', {
  args: ['kind'],
  example: `discovery "dns" {
    hostname "api.internal.example.com"
    port 8080
    refresh-interval "30s"
}`,
  build (value, here) {
    checkKind(value.kind, here)
    return value
  },
})

function checkKind (kind: keyof typeof settings, here: Here<typeof fields>): void {
  const { needs, takes } = settings[kind]
  for (const name of needs) {
    if (!here.given(name)) here.report.error('CONFIG_MISSING', `${here.scope} needs '${written(name)}' to ask ${kind}`, here.at)
  }
  for (const name of Object.keys(fields) as (keyof typeof fields)[]) {
    if (name === 'kind' || !here.given(name) || needs.includes(name) || takes.includes(name)) continue
    here.report.error('CONFIG_CONTRADICTION', `'${written(name)}' of ${here.scope} means nothing for ${kind}`, here.where(name), `${kind} takes ${[...needs, ...takes].map(written).join(', ')}`)
  }
}

function written (name: Name): string {
  return settingName(name, fields[name])
}
