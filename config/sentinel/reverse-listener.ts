import type { KdlNode } from '../kdl/nodes.ts'
import type { Address } from '../schema/address.ts'
import { listenerAddress } from '../schema/address.ts'
import { blocks, optionalBlock } from '../schema/blocks.ts'
import type { OlderForms } from '../schema/field.ts'
import { inert, list, optional, required, setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import type { Report } from '../schema/report.ts'
import { bool, existingFile, integer, text } from '../schema/values.ts'
import { isLocal } from './builtin-handler.ts'
import { checkPair, pairFields } from './certificate-files.ts'
import type { SentinelConfig } from './config.ts'
import { socketFields } from './listener-socket.ts'

const { socketMode, socketOwner, socketGroup } = socketFields

const tlsFields = {
  ...pairFields,
  caFile: optional(existingFile, 'Authorities in PEM form that the certificates of agents must come from. Without it agents show none.', { aliases: ['ca-cert', 'client-ca'] }),
}

const tls = optionalBlock(tlsFields, 'Certificate that is shown to agents.', {
  example: `tls {
    cert-file "/etc/sentinel/certs/agents.crt"
    key-file "/etc/sentinel/certs/agents.key"
    ca-file "/etc/sentinel/certs/agents-ca.crt"
}`,
  build (value, here) {
    checkPair(value, here, 'agents look at the certificate before they say who they are')
    return { certFile: value.certFile ?? '', keyFile: value.keyFile ?? '', caFile: value.caFile }
  },
})

const fields = {
  address: required(listenerAddress, 'IP and port, or a Unix socket. What is not a socket or a loopback address needs `tls`.', { aliases: ['tcp-address', 'listen'] }),
  tls,
  handshakeTimeout: setting(durationWithin('1ms'), '10s', 'How long an agent may take to say who it is, with the handshake of TLS.', { aliases: ['handshake-timeout-ms'] }),
  maxHandshakes: setting(integer(1, 65_535), 64, 'Connections that have not shown yet who they are; more are closed at once. One address has an eighth of them at the most.'),
  socketMode,
  socketOwner,
  socketGroup,
  maxConnectionsPerAgent: inert(integer(1, 65_535), 'Connections of one agent.', 'the `connections` of the agent say it'),
  requireAuth: inert(bool, 'Whether agents show a token.', 'the `reverse` block of the agent says it, and over a network they always do'),
  allowedAgents: inert(text, 'Agents that may connect.', 'those with a `reverse` block may'),
}

/** `path` and `tcp-address` in one block are two listeners. */
const pathInBlock: OlderForms[string] = {
  doc: 'write reverse-listener { address "unix:/path" }',
  when: (node) => (node.children ?? []).some(({ name }) => name === 'path' || name === 'socket'),
  into (node) {
    const children = node.children ?? []
    const isPath = ({ name }: KdlNode): boolean => name === 'path' || name === 'socket'
    const isAddress = ({ name }: KdlNode): boolean => ['address', 'tcp-address', 'listen'].includes(name)
    const asAddress = (child: KdlNode): KdlNode => ({
      ...child, name: 'address', args: child.args.map((entry) => typeof entry.value === 'string' ? { ...entry, value: `unix:${entry.value}` } : entry),
    })
    const ofSocket = children.filter((child) => !isAddress(child) && child.name !== 'tls')
    const onSocket = { ...node, children: ofSocket.map((child) => isPath(child) ? asAddress(child) : child) }
    return children.some(isAddress) ? [onSocket, { ...node, children: children.filter((child) => !isPath(child)) }] : [onSocket]
  },
}

export const olderReverseListeners: OlderForms = { 'reverse-listener': pathInBlock }

export const reverseListeners = blocks(fields, 'Where agents connect that the proxy cannot connect to: those with a `reverse` block.', {
  name: 'reverse-listener',
  args: ['address'],
  example: `reverse-listener "0.0.0.0:9443" {
    tls { cert-file "/etc/sentinel/certs/agents.crt"; key-file "/etc/sentinel/certs/agents.key" }
}
reverse-listener "unix:/run/sentinel/agents.sock"`,
  build (value, here) {
    if (value.tls === undefined && !isLocal(value.address)) {
      here.report.error('CONFIG_MISSING', `${here.scope} can be reached from elsewhere and needs 'tls': tokens and requests would go over the network in plain text`, here.at, 'write tls { cert-file "…"; key-file "…" }')
    }
    if (value.tls !== undefined && value.address.path !== undefined) {
      here.report.error('CONFIG_CONTRADICTION', `${here.scope} is a Unix socket, which has no TLS`, here.where('tls'))
    }
    for (const name of ['socketMode', 'socketOwner', 'socketGroup'] as const) {
      if (value.address.path === undefined && here.given(name)) {
        here.report.error('CONFIG_CONTRADICTION', `${here.scope} is no Unix socket, but has settings of one`, here.where(name), 'write address "unix:/path"')
      }
    }
    return value
  },
})

const shortestToken = 16

/** Of an agent: it connects to the proxy. */
export const reverse = optionalBlock({
  token: list(text, [], 'What the agent shows when it connects; at least 16 characters. Several while one takes the place of another. Only an agent that connects through a Unix socket may go without.', {
    secret: true, example: 'token "${file:/run/secrets/agent-token}"',
  }),
}, 'The agent connects to the proxy, at a `reverse-listener`, in place of the other way round: for agents behind NAT or in another network.', {
  example: 'reverse { token "${AGENT_TOKEN}" }',
  build (value, here) {
    if (value.token.some((token) => token.length < shortestToken)) {
      here.report.error('CONFIG_TYPE', `'token' of ${here.scope} needs at least ${shortestToken} characters`, here.where('token'), 'openssl rand -hex 32 makes one')
    }
    if (value.token.some((token) => /[^\x21-\x7e]/.test(token))) {
      here.report.error('CONFIG_TYPE', `'token' of ${here.scope} has characters that no header may carry`, here.where('token'), 'openssl rand -hex 32 makes one')
    }
    return value
  },
})

/** What only the whole configuration shows. */
export function checkReverse ({ agents, reverseListeners: listeners }: Pick<SentinelConfig, 'agents' | 'reverseListeners'>, report: Report): void {
  const open = listeners.find(({ address }) => address.path === undefined)
  for (const { id, at, transport } of agents) {
    if (transport.kind !== 'reverse') continue
    if (listeners.length === 0) report.error('CONFIG_MISSING', `agent '${id}' connects to the proxy, which listens for agents nowhere`, at, 'write reverse-listener "unix:/run/sentinel/agents.sock"')
    if (open !== undefined && transport.tokens.length === 0) {
      report.error('CONFIG_MISSING', `agent '${id}' needs a 'token': whoever reaches ${open.address.text} could connect in its name`, at, 'write reverse { token "${file:/run/secrets/agent-token}" }')
    }
  }
  const seen = new Set<string>()
  for (const { at, address } of listeners) {
    if (address.port === 0 && address.path === undefined) continue
    const key = addressKey(address)
    if (seen.has(key)) report.error('CONFIG_CONTRADICTION', `two reverse-listeners have the address ${address.text}`, at)
    seen.add(key)
  }
  if (listeners.length > 0 && agents.every(({ transport }) => transport.kind !== 'reverse')) {
    report.warning('CONFIG_NO_EFFECT', 'no agent connects to the reverse-listener', listeners[0]!.at, 'write reverse { … } into the agent that does')
  }
}

function addressKey ({ host, port, path }: Address): string {
  return path ?? `${host} ${port}`
}
