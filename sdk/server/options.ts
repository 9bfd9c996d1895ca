import { parseArgs } from 'node:util'
import { readFileSync } from 'node:fs'
import { parseDuration } from '../../config/schema/quantities.ts'
import type { DialTarget } from './dial.ts'
import { isRedisUrl } from '../store/open.ts'

/** Where an agent is served. */
export type Endpoint =
  | { readonly kind: 'unix', readonly path: string }
  /** It is not served anywhere: the agent connects to the proxy. */
  | { readonly kind: 'connect', readonly target: DialTarget }
  | { readonly kind: 'tcp', readonly host: string, readonly port: number, readonly tls: TlsFiles | undefined }

/** PEM files. With `clientCa`, only clients with a certificate of that authority get in. */
export interface TlsFiles {
  readonly cert: string
  readonly key: string
  readonly clientCa: string | undefined
}

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = typeof logLevels[number]

export interface ServeOptions {
  readonly endpoint: Endpoint
  readonly logLevel: LogLevel
  /** How long open exchanges may take to end after SIGTERM. */
  readonly drainTimeoutMs: number
  /** "memory", or a URL of Redis. */
  readonly store: string
  /** Threads that handlers run in; 0 is none, undefined is what the definition says. */
  readonly workers: number | undefined
  /** The id the operator gave this agent; undefined when nobody manages it. */
  readonly agentId: string | undefined
  /** Started by the proxy: ends with it. */
  readonly managed: boolean
}

export type Command =
  | { readonly kind: 'serve', readonly options: ServeOptions }
  | { readonly kind: 'help' | 'version' | 'describe' | 'docs' }

/** Something in the flags or the environment that an operator must put right. */
export class BadOptions extends Error {}

const flags = {
  socket: { type: 'string' },
  listen: { type: 'string' },
  connect: { type: 'string' },
  'connect-token-file': { type: 'string' },
  'agent-id': { type: 'string' },
  'tls-cert': { type: 'string' },
  'tls-key': { type: 'string' },
  'tls-client-ca': { type: 'string' },
  'tls-ca': { type: 'string' },
  'tls-server-name': { type: 'string' },
  'log-level': { type: 'string' },
  'drain-timeout': { type: 'string' },
  store: { type: 'string' },
  workers: { type: 'string' },
  describe: { type: 'boolean' },
  docs: { type: 'boolean' },
  version: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

export const usage = `
  --socket PATH          serve on this Unix socket                            SENTINEL_SOCKET
  --listen HOST:PORT     serve on this TCP address; loopback, or with mutual TLS  SENTINEL_LISTEN
  --connect ADDRESS      connect to the proxy: unix:/path or tcp:HOST:PORT    SENTINEL_CONNECT
  --connect-token-file FILE  what to show there; or in the variable           SENTINEL_CONNECT_TOKEN
  --agent-id NAME        name in the configuration of the proxy               SENTINEL_AGENT_ID
  --tls-cert FILE        certificate, PEM                                     SENTINEL_TLS_CERT
  --tls-key FILE         its key, PEM                                         SENTINEL_TLS_KEY
  --tls-client-ca FILE   authority that clients' certificates must come from  SENTINEL_TLS_CLIENT_CA
  --tls-ca FILE          with --connect: authority of the proxy's certificate SENTINEL_TLS_CA
  --tls-server-name NAME with --connect: name in the proxy's certificate      SENTINEL_TLS_SERVER_NAME
  --log-level LEVEL      ${logLevels.join(', ')}              SENTINEL_LOG_LEVEL
  --drain-timeout TIME   for open exchanges after SIGTERM, "10s" by default   SENTINEL_DRAIN_TIMEOUT
  --store memory|URL     what context.store is kept in: redis:// or rediss://; a URL with a password belongs in the variable  SENTINEL_STORE
  --workers N            run handlers in N threads; 0: in none                SENTINEL_WORKERS
  --docs                 print the page about settings as Markdown, and exit
  --describe             print name, events and settings as JSON, and exit
  --version, --help
`

/** A flag wins over its variable. Throws `BadOptions`. */
export function readOptions (args: readonly string[], env: NodeJS.ProcessEnv): Command {
  const given = parse(args)
  if (given.help) return { kind: 'help' }
  if (given.version) return { kind: 'version' }
  if (given.describe) return { kind: 'describe' }
  if (given.docs) return { kind: 'docs' }
  const value = (flag: Exclude<keyof typeof flags, 'describe' | 'docs' | 'version' | 'help'>): string | undefined =>
    given[flag] ?? nonEmpty(env[`SENTINEL_${flag.toUpperCase().replaceAll('-', '_')}`])
  return {
    kind: 'serve',
    options: {
      endpoint: endpointOf(value, env),
      logLevel: readLogLevel(value('log-level') ?? 'info'),
      drainTimeoutMs: readDuration(value('drain-timeout') ?? '10s'),
      store: readStore(value('store') ?? 'memory'),
      workers: readWorkers(value('workers')),
      agentId: value('agent-id'),
      managed: env['SENTINEL_MANAGED'] === '1',
    },
  }
}

function endpointOf (value: (flag: Place | Parameters<Value>[0]) => string | undefined, env: NodeJS.ProcessEnv): Endpoint {
  const [socket, listen, connect] = [value('socket'), value('listen'), value('connect')]
  if (connect === undefined) return readEndpoint(socket, listen, readTls(value('tls-cert'), value('tls-key'), value('tls-client-ca')))
  if (socket !== undefined || listen !== undefined) throw new BadOptions('an agent that connects to the proxy is served nowhere else: leave out --socket and --listen')
  return { kind: 'connect', target: connectTarget(connect, value, env) }
}

type Place = 'socket' | 'listen' | 'connect' | 'tls-client-ca'

/** Where to serve. Throws `BadOptions`. */
export function readEndpoint (socket: string | undefined, listen: string | undefined, tls: TlsFiles | undefined): Endpoint {
  if ((socket === undefined) === (listen === undefined)) {
    throw new BadOptions('say where to serve: either --socket PATH or --listen HOST:PORT')
  }
  if (socket === undefined) return tcpEndpoint(listen ?? '', tls)
  if (tls) throw new BadOptions('TLS is for --listen; a Unix socket has none')
  return unixEndpoint(socket)
}

function parse (args: readonly string[]): ReturnType<typeof parseArgs<{ options: typeof flags }>>['values'] {
  try {
    return parseArgs({ args: [...args], options: flags, strict: true }).values
  } catch (error) {
    throw new BadOptions(error instanceof Error ? error.message : String(error))
  }
}

function unixEndpoint (path: string): Endpoint {
  // sun_path of Linux and the BSDs; a longer path is cut off in silence by some of them.
  if (Buffer.byteLength(path) > 103) throw new BadOptions(`the path of the socket is longer than 103 bytes: ${path}`)
  return { kind: 'unix', path }
}

function tcpEndpoint (text: string, tls: TlsFiles | undefined): Endpoint {
  const [, bracketed, plain, port = ''] = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+)):(\d{1,5})$/i.exec(text) ?? []
  const host = bracketed ?? plain
  if (host === undefined || Number(port) > 65535) throw new BadOptions(`--listen takes HOST:PORT, not "${text}"`)
  // There are no passwords in the protocol: who reaches the socket may configure the agent.
  if (!isLoopback(host) && tls?.clientCa === undefined) {
    throw new BadOptions(`${host} can be reached from elsewhere: that needs --tls-cert, --tls-key and --tls-client-ca`)
  }
  return { kind: 'tcp', host, port: Number(port), tls }
}

type Value = (flag: 'connect-token-file' | 'agent-id' | 'tls-cert' | 'tls-key' | 'tls-ca' | 'tls-server-name') => string | undefined

function connectTarget (text: string, value: Value, env: NodeJS.ProcessEnv): DialTarget {
  const agent = value('agent-id')
  if (agent === undefined) throw new BadOptions('--connect needs the name of the agent in the configuration of the proxy: --agent-id NAME')
  const [cert, key, ca, serverName] = [value('tls-cert'), value('tls-key'), value('tls-ca'), value('tls-server-name')]
  if ((cert === undefined) !== (key === undefined)) throw new BadOptions('TLS needs both --tls-cert and --tls-key')
  const asked = cert !== undefined || ca !== undefined || serverName !== undefined
  const token = tokenSource(value('connect-token-file'), nonEmpty(env['SENTINEL_CONNECT_TOKEN']))
  const [, path] = /^unix:(\/.+)$/.exec(text) ?? []
  if (path !== undefined) {
    if (asked) throw new BadOptions('TLS is for tcp:HOST:PORT; a Unix socket has none')
    return { to: { path }, tls: undefined, agent, token }
  }
  const [, bracketed, plain, port = ''] = /^tcp:(?:\/\/)?(?:\[([0-9a-f:.]+)\]|([^:[\]]+)):(\d{1,5})$/i.exec(text) ?? []
  const host = bracketed ?? plain
  if (host === undefined || Number(port) < 1 || Number(port) > 65535) throw new BadOptions(`--connect takes unix:/path or tcp:HOST:PORT, not "${text}"`)
  // A token that goes over a network in plain text is everybody's.
  const tls = asked || !isLoopback(host) ? { ca, cert, key, serverName } : undefined
  return { to: { host, port: Number(port) }, tls, agent, token }
}

/** A token never stands on the command line, which everybody on the machine may read. */
function tokenSource (file: string | undefined, fromEnvironment: string | undefined): () => string | undefined {
  if (file === undefined) return () => fromEnvironment
  return () => readFileSync(file, 'utf8').trim()
}

function isLoopback (host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host)
}

function readTls (cert: string | undefined, key: string | undefined, clientCa: string | undefined): TlsFiles | undefined {
  if (cert === undefined && key === undefined && clientCa === undefined) return undefined
  if (cert === undefined || key === undefined) throw new BadOptions('TLS needs both --tls-cert and --tls-key')
  return { cert, key, clientCa }
}

function readLogLevel (text: string): LogLevel {
  const level = logLevels.find((l) => l === text)
  if (level === undefined) throw new BadOptions(`--log-level is one of ${logLevels.join(', ')}, not "${text}"`)
  return level
}

/** The URL is never shown: it may hold a password. */
function readStore (text: string): string {
  if (text !== 'memory' && !isRedisUrl(text)) throw new BadOptions('--store is "memory" or a URL like redis://127.0.0.1:6379/0')
  return text
}

/** More threads than this machine could use are a slip of the finger. */
const maxWorkers = 256

function readWorkers (text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^\d{1,3}$/.test(text) || Number(text) > maxWorkers) throw new BadOptions(`--workers is a number from 0 to ${maxWorkers}, not "${text}"`)
  return Number(text)
}

function readDuration (text: string): number {
  const ms = parseDuration(text)
  if (ms === undefined) throw new BadOptions(`--drain-timeout takes a time like "10s", not "${text}"`)
  return ms
}

function nonEmpty (text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}
