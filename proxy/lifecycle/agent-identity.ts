import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { builtInAgents } from '../../config/sentinel/built-in-agents.ts'
import type { AgentConfig, Transport } from '../../config/sentinel/index.ts'
import type { AgentTarget } from '../decisions/index.ts'
import { packageFile } from './package-file.ts'
import { tokenDigest } from './token-digest.ts'

/** What makes an agent another one: a change of anything else is a new configuration for the same agent. */
export function agentIdentity (agent: AgentConfig): unknown {
  const { id, type, transport, managed, command, env, events, connections, connectTimeout, maxConcurrentCalls, maxQueuedCalls, maxMessageSize, restart } = agent
  const files = fingerprint(transport)
  const whereItIs = transport.kind === 'reverse' ? { kind: transport.kind, tokens: transport.tokens.map((token) => tokenDigest(token).toString('hex')) } : transport
  const { circuitBreaker, healthCheck, retry, http2, host, hostMembers } = agent
  const calls = { connections, connectTimeout, maxConcurrentCalls, maxQueuedCalls, maxMessageSize, circuitBreaker, healthCheck, retry, http2 }
  return { id, type, transport: whereItIs, files, managed, command, env, events, ...calls, restart, host, hostMembers }
}

/** Of what the certificates' files hold: renewed ones make another agent, which is connected to anew. Those of a text that is only compared need not be there. */
function fingerprint (transport: Transport): string | undefined {
  if (transport.kind !== 'grpc' || transport.tls === undefined) return undefined
  const { caCert, clientCert, clientKey } = transport.tls
  const hash = createHash('sha256')
  for (const file of [caCert, clientCert, clientKey]) hash.update(file === undefined || !existsSync(file) ? '-' : readFileSync(file)).update('\0')
  return hash.digest('hex')
}

/** Where an agent is connected to, its certificates read from the files. `socket` is the path of one that the configuration leaves to the proxy. */
export function targetOf (transport: Exclude<Transport, { readonly kind: 'reverse' }>, socket: string | undefined): AgentTarget {
  if (transport.kind === 'unix') return { path: socket! }
  const { address: { host, port }, tls } = transport
  if (tls === undefined) return { host, port }
  const { caCert, clientCert, clientKey, serverName, insecureSkipVerify } = tls
  return {
    host, port,
    tls: {
      ...caCert === undefined ? {} : { ca: readFileSync(caCert) },
      ...clientCert === undefined || clientKey === undefined ? {} : { cert: readFileSync(clientCert), key: readFileSync(clientKey) },
      ...serverName === undefined ? {} : { serverName },
      insecureSkipVerify,
    },
  }
}

/** The `config {}` block as the agent gets it, with its script, and a name for it. */
export function agentConfiguration ({ config, script }: AgentConfig): { readonly json: string, readonly version: string } {
  const json = JSON.stringify({ ...config?.json, ...script === undefined ? {} : { script: { file: script.file, digest: script.digest } } })
  return { json, version: createHash('sha256').update(json).digest('hex').slice(0, 12) }
}

/** The program of an agent, with its arguments; `undefined` for one that only somebody else can start. */
export function agentCommand ({ command, type }: AgentConfig): readonly string[] | undefined {
  if (command.length > 0) return command
  return builtInAgents.has(type) ? [process.execPath, packageFile('dist', 'agents', type, 'main.js')] : undefined
}
