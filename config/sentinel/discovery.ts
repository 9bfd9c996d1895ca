import { isIP } from 'node:net'
import { address, parseAddress, targetAddress, type Address } from '../schema/address.ts'
import { optionalBlock } from '../schema/blocks.ts'
import { settingName, type Infer } from '../schema/field.ts'
import { list, optional, required, setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import type { Here } from '../schema/read-block.ts'
import { unfit, type ValueType } from '../schema/value.ts'
import { bool, existingFile, integer, oneOf, path, text, textLike } from '../schema/values.ts'
import { checkClientFiles } from './client-certificate.ts'
import { flag } from './flag.ts'

const every = durationWithin('1s', '1d')
const hostName = textLike('a host name', /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})$/, '"api.internal.example.com"')
const inSeconds = { bareUnitMs: 1000 }

/** Where an HTTP interface is. `secure`: over TLS. */
export interface ApiAddress extends Address {
  readonly secure: boolean
}

const apiAddress: ValueType<ApiAddress> = {
  name: targetAddress.name,
  expected: targetAddress.expected,
  json: { type: 'string' },
  example: '"127.0.0.1:8500", "https://consul:8501", "unix:/run/docker.sock"',
  parse (raw, context) {
    if (typeof raw !== 'string') return unfit
    const secure = /^https:\/\//i.test(raw)
    const found = targetAddress.parse(raw.replace(/^(?:https?|tcp):\/\//i, '').replace(/(?<!^unix:.*)\/$/, ''), context)
    return 'value' in found ? { value: { ...found.value, text: raw, secure } } : found
  },
}

/** Of a DNS server; port 53 unless it says another. */
const resolverAddress: ValueType<string> = {
  name: 'IP or IP:port',
  expected: 'an IP address, with a port where it is not 53',
  example: '"10.0.0.2", "127.0.0.1:8600", "[::1]:53"',
  json: { type: 'string' },
  parse (raw) {
    if (typeof raw !== 'string') return unfit
    if (isIP(raw) !== 0) return { value: raw.includes(':') ? `[${raw}]:53` : `${raw}:53` }
    const found = parseAddress(raw)
    if ('wrong' in found) return found
    return isIP(found.value.host) === 0 ? { wrong: 'the host is not an IP address' } : { value: raw }
  },
}

const fields = {
  kind: required(oneOf('dns', 'consul', 'kubernetes', 'docker', 'file', 'static'), 'Who is asked.', { aliases: ['type'] }),
  hostname: optional(hostName, 'dns: name whose addresses are the targets. Of a name like `_http._tcp.example.com` the SRV records are asked for: they say port, weight and priority.', { aliases: ['host'] }),
  port: optional(integer(1, 65_535), 'dns: port of the targets. SRV records bring their own.'),
  resolvers: list(resolverAddress, [], 'dns: servers to ask in place of those of the system; names in /etc/hosts do not count then.', { name: 'resolver', aliases: ['resolvers', 'nameserver'], commas: true }),
  address: optional(apiAddress, 'consul, docker: address of its HTTP interface; unix:/var/run/docker.sock for docker without it.'),
  service: optional(text, 'consul, kubernetes: name of the service. docker: only containers of this service (label `sentinel.service` or that of Compose or Swarm).'),
  datacenter: optional(text, 'consul: another datacenter than that of the agent.'),
  tag: optional(text, 'consul: only instances with this tag.'),
  onlyPassing: setting(bool, true, 'consul: only instances whose checks pass; #false: those with warnings too, with the weight they have for that. Never critical ones.'),
  token: optional(text, 'consul: what it knows us by.', { secret: true, example: 'token "${file:/run/secrets/consul-token}"' }),
  namespace: optional(text, 'kubernetes: namespace of the service.'),
  portName: optional(text, 'kubernetes: which of the service\'s ports, where there are several.'),
  kubeconfig: optional(text, 'kubernetes: file with the address and credentials of the cluster (a token or a client certificate; no programs); those of the pod without it.'),
  network: optional(text, 'docker: network whose addresses count, where a container is in several; label `sentinel.network` says another for one container.'),
  path: optional(path, 'file: lines of host:port, with weight=N, zone=NAME, priority=N behind where it matters, or a JSON array. Write another file and rename it: one that is half there keeps the old list.'),
  backends: list(address, [], 'static: the targets.'),
  caCert: optional(existingFile, 'consul, docker: authorities to trust, in PEM form, in place of the system\'s.', { aliases: ['ca-file'] }),
  clientCert: optional(existingFile, 'consul, docker: certificate to show, in PEM form.'),
  clientKey: optional(existingFile, 'consul, docker: private key of `client-cert`, in PEM form.'),
  refreshInterval: optional(every, 'dns, consul, kubernetes, docker: time between two questions; 30s for dns and docker, 10s for the others. DNS answers that last for less are asked for sooner; the others tell of changes at once, and this is how long they are waited for.', { ...inSeconds, aliases: ['refresh-interval-secs'] }),
  watchInterval: optional(every, 'file: time between two looks at the file, beside being told of changes by the system; 5s without it.', { ...inSeconds, aliases: ['watch-interval-secs'] }),
  timeout: setting(durationWithin('10ms', '5m'), '5s', 'Longest wait for an answer.', inSeconds),
  allowEmpty: flag('Take over an answer without targets. Without it the last targets stay, with a warning: who is asked forgets more often than a whole service ends.'),
}

type Name = Exclude<keyof typeof fields, 'kind' | 'timeout' | 'allowEmpty'>
type Read = Infer<typeof fields>
type Kind = Read['kind']

/** What each kind must have, and what it may have. */
const settings: Readonly<Record<Kind, { readonly needs: readonly Name[], readonly takes: readonly Name[] }>> = {
  dns: { needs: ['hostname'], takes: ['port', 'resolvers', 'refreshInterval'] },
  consul: { needs: ['address', 'service'], takes: ['datacenter', 'tag', 'onlyPassing', 'token', 'caCert', 'clientCert', 'clientKey', 'refreshInterval'] },
  kubernetes: { needs: ['namespace', 'service'], takes: ['portName', 'kubeconfig', 'refreshInterval'] },
  docker: { needs: [], takes: ['address', 'service', 'network', 'caCert', 'clientCert', 'clientKey', 'refreshInterval'] },
  file: { needs: ['path'], takes: ['watchInterval'] },
  static: { needs: ['backends'], takes: [] },
}

const dockerSocket: ApiAddress = { host: '', port: 0, text: 'unix:/var/run/docker.sock', path: '/var/run/docker.sock', secure: false }

/** A name that stands for services, not for addresses (RFC 2782). */
const serviceName = /^_[^.]+\._(?:tcp|udp)\./i

export const discovery = optionalBlock(fields, 'Find the targets by asking somebody. They come beside those that are written down.', {
  args: ['kind'],
  example: `discovery "dns" {
    hostname "api.internal.example.com"
    port 8080
    refresh-interval "30s"
}`,
  build (value, here) {
    checkKind(value.kind, here)
    checkClientFiles(value, here)
    const isService = serviceName.test(value.hostname ?? '')
    if (value.kind === 'dns' && here.given('hostname') && isService === here.given('port')) {
      if (isService) here.report.error('CONFIG_CONTRADICTION', `'port' of ${here.scope} means nothing for a name of SRV records, which bring ports`, here.where('port'))
      else here.report.error('CONFIG_MISSING', `${here.scope} needs 'port' to ask dns`, here.at, 'or the name of SRV records: "_http._tcp.example.com"')
    }
    return { ...ofKind(value), timeout: value.timeout, allowEmpty: value.allowEmpty }
  },
})

/** Only what the kind takes: nothing else can be read by mistake. What is missing was reported. */
function ofKind ({ kind, service = '', hostname = '', caCert, clientCert, clientKey, ...value }: Read) {
  const tls = { caCert, clientCert, clientKey }
  const { refreshInterval } = value
  switch (kind) {
    case 'dns': {
      const { port = 0, resolvers } = value
      return { kind, hostname, port, resolvers, isService: serviceName.test(hostname), refreshInterval: refreshInterval ?? 30_000 } as const
    }
    case 'consul': {
      const { address: at = dockerSocket, datacenter, tag, onlyPassing, token } = value
      return { kind, address: at, service, datacenter, tag, onlyPassing, token, ...tls, refreshInterval: refreshInterval ?? 10_000 } as const
    }
    case 'kubernetes': {
      const { namespace = '', portName, kubeconfig } = value
      return { kind, namespace, service, portName, kubeconfig, refreshInterval: refreshInterval ?? 10_000 } as const
    }
    case 'docker': {
      const { address: at = dockerSocket, network } = value
      return { kind, address: at, service, network, ...tls, refreshInterval: refreshInterval ?? 30_000 } as const
    }
    case 'file': return { kind, path: value.path ?? '', refreshInterval: value.watchInterval ?? 5_000 } as const
    case 'static': return { kind, backends: value.backends } as const
  }
}

export type DiscoveryConfig = ReturnType<typeof ofKind> & Pick<Read, 'timeout' | 'allowEmpty'>

function checkKind (kind: Kind, here: Here<typeof fields>): void {
  const { needs, takes } = settings[kind]
  for (const name of needs) {
    if (!here.given(name)) here.report.error('CONFIG_MISSING', `${here.scope} needs '${written(name)}' to ask ${kind}`, here.at)
  }
  for (const name of Object.keys(fields) as (keyof typeof fields)[]) {
    if (name === 'kind' || name === 'timeout' || name === 'allowEmpty' || !here.given(name) || needs.includes(name) || takes.includes(name)) continue
    here.report.error('CONFIG_CONTRADICTION', `'${written(name)}' of ${here.scope} means nothing for ${kind}`, here.where(name), `${kind} takes ${[...needs, ...takes].map(written).join(', ')}`)
  }
}

function written (name: Name): string {
  return settingName(name, fields[name])
}
