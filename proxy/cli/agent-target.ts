import type { LinkSettings } from '../decisions/by-hand/link.ts'
import type { AgentTarget } from '../decisions/index.ts'
import { printable } from '../observe/quote.ts'
import type { CommandOption, OptionValues, Shell } from './command.ts'

/** Options of the commands that talk to an agent directly. */
export const targetOptions = {
  tls: { type: 'boolean', doc: 'Over TLS; any other option of TLS says so as well.' },
  'ca-cert': { type: 'string', value: 'FILE', doc: 'Believe certificates of this authority (PEM), in place of the system\'s.' },
  'client-cert': { type: 'string', value: 'FILE', doc: 'Certificate to show to the agent (PEM).' },
  'client-key': { type: 'string', value: 'FILE', doc: 'Key of that certificate (PEM).' },
  'server-name': { type: 'string', value: 'NAME', doc: 'Name in the agent\'s certificate, when it is not the host.' },
  insecure: { type: 'boolean', doc: 'Take any certificate.' },
  timeout: { type: 'string', value: 'TIME', doc: 'For the connection and for each answer: 500ms, 5s. Without it 5s.' },
} as const satisfies Readonly<Record<string, CommandOption>>

/** Where an agent is and how long it is waited for; a sentence when it cannot be understood. */
export async function agentTargetOf (shell: Shell, text: string, options: OptionValues): Promise<LinkSettings | string> {
  const { parseAddress, parseDuration } = await import('../../config/schema/index.ts')
  const timeoutMs = options['timeout'] === undefined ? 5_000 : parseDuration(String(options['timeout']))
  if (timeoutMs === undefined || timeoutMs === 0) return `'${String(options['timeout'])}' is no time: write 500ms or 5s`
  const { resolve } = await import('node:path')
  if (text.startsWith('unix:')) return { target: { path: resolve(shell.cwd, text.slice('unix:'.length)) }, timeoutMs }
  if (text.startsWith('/') || text.startsWith('.')) return `to say that ${text} is a socket, write unix:${text}`
  const address = parseAddress(text.replace(/^(?:https?|grpc):\/\//, ''))
  if (!('value' in address)) return `'${text}' is no agent: write unix:/path/of/its.sock or host:port`
  const { host, port } = address.value
  const tls = await tlsOf(shell, options)
  if (typeof tls === 'string') return tls
  return { target: { host, port, ...tls === undefined ? {} : { tls } }, timeoutMs }
}

async function tlsOf (shell: Shell, options: OptionValues): Promise<Extract<AgentTarget, { host: string }>['tls'] | string> {
  const { tls, insecure, 'ca-cert': ca, 'client-cert': cert, 'client-key': key, 'server-name': serverName } = options
  if (![tls, insecure, ca, cert, key, serverName].some((option) => option !== undefined && option !== false)) return undefined
  if ((cert === undefined) !== (key === undefined)) return 'a client certificate needs its key, and a key its certificate: give --client-cert and --client-key'
  const { readFile } = await import('node:fs/promises')
  const { resolve } = await import('node:path')
  try {
    const read = async (file: OptionValues[string]): Promise<Buffer | undefined> => typeof file === 'string' ? readFile(resolve(shell.cwd, file)) : undefined
    const [caText, certText, keyText] = [await read(ca), await read(cert), await read(key)]
    return {
      ...caText === undefined ? {} : { ca: caText }, ...certText === undefined ? {} : { cert: certText }, ...keyText === undefined ? {} : { key: keyText },
      ...typeof serverName === 'string' ? { serverName } : {}, insecureSkipVerify: insecure === true,
    }
  } catch (error) {
    return `a file of TLS cannot be read: ${error instanceof Error ? error.message : String(error)}`
  }
}

/** What came of a connection, as somebody can act on it: what the system and the libraries say of it tells too little alone. */
const reasons: ReadonlyArray<readonly [RegExp, string]> = [
  [/^connect ENOENT\b/, 'there is no such socket: does the agent run?'],
  [/^connect ECONNREFUSED\b/, 'nobody listens there: does the agent run?'],
  [/^connect (?:EACCES|EPERM)\b/, 'the socket is for another user'],
  [/^getaddrinfo (?:ENOTFOUND|EAI_AGAIN)\b/, 'there is no such host'],
  [/^it does not speak HTTP\/2/, 'what listens there does not speak HTTP/2, as gRPC does: is it an agent?'],
  [/^content type /, 'what listens there speaks HTTP/2 and no gRPC: is it an agent?'],
  [/^status (?:404|12)\b|UNIMPLEMENTED/i, 'what listens there does not serve sentinel.agent.v1.Agent'],
  [/^(?:it|the agent) closed the connection/, 'it closed the connection before it said who it is: is it an agent, and does it want TLS?'],
  [/^no answer to \S+Describe /, 'it takes the connection and does not say who it is'],
]

export function whyNobody (detail: string): string {
  const [, reason] = reasons.find(([shape]) => shape.test(detail)) ?? []
  // The detail may be what is behind the address said.
  return printable(reason === undefined ? detail : `${reason} (${detail})`)
}
