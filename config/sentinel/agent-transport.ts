import type { KdlNode } from '../kdl/nodes.ts'
import type { Position } from '../kdl/position.ts'
import type { Address } from '../schema/address.ts'
import { parseAddress } from '../schema/address.ts'
import { optionalBlock } from '../schema/blocks.ts'
import type { OlderForms } from '../schema/field.ts'
import { optional, required } from '../schema/fields.ts'
import type { Here } from '../schema/read-block.ts'
import type { ValueType } from '../schema/value.ts'
import { unfit } from '../schema/value.ts'
import { existingFile, path, text, words } from '../schema/values.ts'
import { checkClientFiles } from './client-certificate.ts'
import { flag, optionalFlag } from './flag.ts'
import { reverse } from './reverse-listener.ts'

export type Transport =
  | { readonly kind: 'unix', /** Without one the proxy makes a private socket. */ readonly path: string | undefined }
  /** It connects to the proxy, and shows one of these. */
  | { readonly kind: 'reverse', readonly tokens: readonly string[] }
  | { readonly kind: 'grpc', readonly address: Address, /** Without it the agent is spoken to in plain text. */ readonly tls: AgentTlsConfig | undefined }

/** Paths of PEM files, checked. */
export interface AgentTlsConfig {
  /** Authorities to trust in place of the system's. */
  readonly caCert: string | undefined
  readonly clientCert: string | undefined
  readonly clientKey: string | undefined
  /** Name in the agent's certificate where it is not the host. */
  readonly serverName: string | undefined
  readonly insecureSkipVerify: boolean
}

/** An address with what its scheme says about TLS. */
interface AgentAddress {
  readonly address: Address
  readonly secure: boolean | undefined
}

const agentAddress: ValueType<AgentAddress> = {
  name: 'host:port',
  expected: 'host:port',
  example: '"127.0.0.1:50051", "https://auth.internal:50051"',
  json: { type: 'string' },
  parse (raw) {
    if (typeof raw !== 'string') return unfit
    const [scheme = ''] = /^(?:https?|grpcs?):\/\//.exec(raw) ?? []
    const found = parseAddress(raw.slice(scheme.length).replace(scheme.startsWith('http') ? /\/[^\s?#]*$/ : /\/$/, ''))
    if ('wrong' in found) return found
    return { value: { address: found.value, secure: scheme === '' || scheme === 'grpc://' ? undefined : scheme !== 'http://' } }
  },
}

/** The kernel keeps 108 bytes for the path of a socket, with a zero at the end. */
const socketPath: ValueType<string> = {
  ...path,
  expected: 'the path of a socket',
  parse (raw, context) {
    const result = path.parse(raw, context)
    if ('wrong' in result) return result
    return Buffer.byteLength(result.value) > 107 ? { wrong: 'a socket path has at most 107 bytes' } : result
  },
}

const tlsFields = {
  caCert: optional(existingFile, 'Authorities that the agent\'s certificate must come from, in PEM form, in place of the system\'s.', { aliases: ['ca-file'] }),
  clientCert: optional(existingFile, 'Certificate to show to the agent, in PEM form.'),
  clientKey: optional(existingFile, 'Private key of `client-cert`, in PEM form.'),
  serverName: optional(text, 'Name to ask for and to find in the agent\'s certificate; the host of the address without it.', { aliases: ['sni'] }),
  insecureSkipVerify: flag('Accept any certificate. For experiments only.', { aliases: ['tls-insecure'] }),
}

const grpcFields = {
  address: required(agentAddress, 'Host and port, with https:// in front for TLS.'),
  tls: optionalFlag('Speak TLS; without being said for an https:// address or when a certificate is named.'),
  ...tlsFields,
}

const tlsNames = Object.keys(tlsFields) as readonly (keyof typeof tlsFields)[]

/** The transport as far as its own block tells. */
export interface GivenGrpc {
  readonly address: Address
  /** Whether the address or the block says anything for or against TLS. */
  readonly secure: boolean | undefined
  readonly tls: AgentTlsConfig | undefined
}

const olderGrpc: OlderForms = {
  url: { doc: 'write the address right after the name', into: node => [{ ...node, name: 'address' }] },
  tls: {
    doc: 'the settings of TLS stand beside the address',
    when: node => node.children !== undefined,
    into: node => [{ ...node, args: node.args.length > 0 ? node.args : [{ value: true, at: node.at }], children: undefined }, ...node.children ?? []],
  },
}

interface GrpcValue extends AgentTlsConfig {
  readonly address: AgentAddress
  readonly tls: boolean | undefined
}

function grpcOf (value: GrpcValue, here: Here<typeof grpcFields>): GivenGrpc {
  const { address: { address: where, secure }, tls: asked, ...settings } = value
  const named = tlsNames.find(name => here.given(name))
  const wanted = asked ?? (secure ?? (named === undefined ? undefined : true))
  if (asked === false && (secure === true || named !== undefined)) {
    here.report.error('CONFIG_CONTRADICTION', `${here.scope} switches TLS off, but ${secure === true ? 'its address begins with https' : 'has settings of it'}`, here.where('tls'))
  } else if (secure === false && (asked === true || named !== undefined)) {
    here.report.error('CONFIG_CONTRADICTION', `${here.scope} has settings of TLS, but its address begins with http://`, here.where('address'), 'write https://')
  }
  checkTls(settings, here)
  return { address: where, secure: wanted, tls: wanted === true ? settings : undefined }
}

function checkTls (value: AgentTlsConfig, here: Here<typeof tlsFields>): void {
  checkClientFiles(value, here)
  if (value.insecureSkipVerify) here.report.warning('CONFIG_NO_EFFECT', `${here.scope} accepts any certificate: TLS protects nothing then`, here.where('insecureSkipVerify'))
}

const grpcBlock = optionalBlock(grpcFields, 'Address the agent listens on, for gRPC over HTTP/2.', {
  args: ['address'], aliases: ['address'], older: olderGrpc, build: grpcOf,
  example: `grpc "https://auth.internal:50051" {
    ca-cert "/etc/sentinel/agents-ca.pem"
    client-cert "/etc/sentinel/proxy.pem"
    client-key "/etc/sentinel/proxy-key.pem"
}`,
})

const transportKind = optional(words(['unix-socket', 'grpc'], { also: { 'unix-socket': ['unix', 'uds'] } }), 'Older form of `unix-socket` and `grpc`.')

/** What is left of the older form is of a kind that nobody knows: only that is worth telling. */
const unknownTransport: typeof transportKind = {
  ...transportKind,
  read: (given, place) => transportKind.read(given.map(node => ({ ...node, props: [], children: undefined })), place),
}

/** How an agent is reached: at most one of them. `tls` is the block beside, which files of an earlier version have. */
export const transports = {
  unixSocket: optionalBlock({ path: required(socketPath, 'Path of the socket.') }, 'Socket the agent listens on.', {
    args: ['path'], aliases: ['socket', 'socket-path'], example: 'unix-socket "/run/sentinel/auth.sock"',
  }),
  grpc: grpcBlock,
  http: optionalBlock(grpcFields, 'Address of an agent, as `grpc`: agents are spoken to in gRPC over HTTP/2 only.', {
    args: ['address'], older: olderGrpc, example: 'http "https://auth.internal:8443"',
    build (value, here) {
      here.report.warning('CONFIG_NO_EFFECT', `${here.scope}: agents are spoken to in gRPC over HTTP/2, at this address too`, here.where('address'), 'write grpc "host:port"')
      return grpcOf(value, here)
    },
  }),
  reverse,
  transport: unknownTransport,
  tls: optionalBlock(tlsFields, 'Settings of TLS for the `grpc` address: another place for them.', {
    example: `grpc "auth.internal:50051"
tls { ca-cert "/etc/sentinel/agents-ca.pem" }`,
    build (value, here) {
      const { at, ...settings } = value
      checkTls(settings, here)
      return { ...settings, at }
    },
  }),
}

const kinds: Readonly<Record<string, string>> = { unix: 'unix-socket', uds: 'unix-socket', 'unix-socket': 'unix-socket', grpc: 'grpc', http: 'http' }

function kindOf (node: KdlNode): string | undefined {
  const entry = node.args[0] ?? node.props.find(({ name }) => name === 'type' || name === 'kind') ?? node.children?.find(({ name }) => name === 'type' || name === 'kind')?.args[0]
  return typeof entry?.value === 'string' ? kinds[entry.value.toLowerCase().replaceAll('_', '-')] : undefined
}

const notKind = ({ name }: { readonly name: string }): boolean => name !== 'type' && name !== 'kind'

/** Older forms of the transports; a `transport` of a kind that nobody knows stays what it is. */
export const olderTransports: OlderForms = {
  transport: {
    doc: 'write unix-socket "/path" or grpc "host:port"',
    when: node => kindOf(node) !== undefined,
    into: node => [{ ...node, name: kindOf(node) ?? '', args: node.args.slice(1), props: node.props.filter(notKind), children: node.children?.filter(notKind) }],
  },
  endpoint: {
    doc: 'write unix-socket "/path" or grpc "host:port"',
    into (node) {
      const [entry, ...more] = node.args
      if (typeof entry?.value !== 'string') return [{ ...node, name: 'grpc' }]
      const [scheme] = /^unix:(?:\/\/)?/.exec(entry.value) ?? []
      if (scheme === undefined) return [{ ...node, name: 'grpc' }]
      return [{ ...node, name: 'unix-socket', args: [{ ...entry, value: entry.value.slice(scheme.length) }, ...more] }]
    },
  },
}

export interface GivenTransports {
  readonly unixSocket: { readonly path: string } | undefined
  readonly grpc: GivenGrpc | undefined
  readonly http: GivenGrpc | undefined
  readonly reverse: { readonly token: readonly string[] } | undefined
  readonly tls: (AgentTlsConfig & { readonly at: Position }) | undefined
}

/** The one transport that was given; without one a private socket. */
export function chosenTransport (given: GivenTransports, here: Here<typeof transports>): Transport {
  const names = (['unixSocket', 'grpc', 'http', 'reverse', 'transport'] as const).filter(name => here.given(name))
  const [, second] = names
  if (second !== undefined) here.report.error('CONFIG_CONTRADICTION', `${here.scope} has more than one transport`, here.where(second))
  const remote = given.grpc ?? given.http
  if (remote === undefined || given.unixSocket !== undefined) {
    if (given.tls !== undefined) here.report.error('CONFIG_CONTRADICTION', `${here.scope} has settings of TLS, but is not reached over an address`, given.tls.at, 'write grpc "https://host:port"')
    if (given.reverse !== undefined && given.unixSocket === undefined) return { kind: 'reverse', tokens: given.reverse.token }
    return { kind: 'unix', path: given.unixSocket?.path }
  }
  return { kind: 'grpc', address: remote.address, tls: given.tls === undefined ? remote.tls : tlsBeside(given.tls, remote, here) }
}

function tlsBeside ({ at, ...tls }: NonNullable<GivenTransports['tls']>, remote: GivenGrpc, here: Here<typeof transports>): AgentTlsConfig {
  if (remote.secure === false) here.report.error('CONFIG_CONTRADICTION', `${here.scope} has settings of TLS, but its address is without`, at, 'write https://')
  const own = remote.tls
  if (own !== undefined && (own.caCert ?? own.clientCert ?? own.serverName) !== undefined) {
    here.report.error('CONFIG_CONTRADICTION', `${here.scope} has settings of TLS in two places`, at, 'write them into the block of grpc')
  }
  return tls
}

