import { checkAgent } from '../check-definition.ts'
import { checkNames } from '../check-names.ts'
import type { Agent } from '../definition.ts'
import type { Log } from '../log.ts'
import { isRedisUrl } from '../store/open.ts'
import { launch } from './launch.ts'
import { BadOptions, readEndpoint } from './options.ts'

/** Where and how an agent is served inside of another program. Either `socket` or `listen` is needed. */
export interface StartOptions {
  /** Path of a Unix socket. */
  readonly socket?: string
  /** "127.0.0.1:4000"; port 0 takes a free one. Addresses that can be reached from elsewhere need `tls` with `clientCa`. */
  readonly listen?: string
  /** PEM files. With `clientCa`, only clients with a certificate of that authority get in. */
  readonly tls?: { readonly cert: string, readonly key: string, readonly clientCa?: string }
  /** Who writes the lines of the agent. Nobody unless given. */
  readonly log?: Log
  /** What `context.store` is kept in: "memory" (default), or a URL of Redis. */
  readonly store?: string
  /** Threads that handlers run in; 0 is none, without it counts what the definition says. */
  readonly workers?: number
  /** How long `drain` waits for open exchanges; 10 000 unless given. */
  readonly drainTimeoutMs?: number
}

/** An agent that is being served. `await using running = await startAgent(…)` drains it at the end of the block. */
export interface RunningAgent extends AsyncDisposable {
  /** "unix:/run/a.sock" or "127.0.0.1:4567". */
  readonly address: string
  /** Exchanges that have not ended. */
  readonly open: number
  /** Says NOT_SERVING, waits for the open exchanges and for `waitUntil`, closes, removes the socket. Safe to call twice. */
  drain (): Promise<void>
  /** The same as `drain`. */
  [Symbol.asyncDispose] (): Promise<void>
}

const names: Readonly<Record<keyof StartOptions, true>> = { socket: true, listen: true, tls: true, log: true, store: true, workers: true, drainTimeoutMs: true }
const namesOfTls: Readonly<Record<keyof NonNullable<StartOptions['tls']>, true>> = { cert: true, key: true, clientCa: true }

const silent: Log = { debug () {}, info () {}, warn () {}, error () {} }

/**
 * Serves an agent inside of a program that has more to do: it handles no signals and never ends the process. Rejects when the address cannot be
 * bound, and with an Error that says what is wrong with the options.
 */
export async function startAgent (agent: Agent, options: StartOptions): Promise<RunningAgent> {
  checkAgent(agent)
  checkNames('startAgent', options, names)
  checkNames('tls of startAgent', options.tls ?? {}, namesOfTls)
  const { socket, listen, tls, log = silent, store = 'memory', workers, drainTimeoutMs = 10_000 } = options
  if (store !== 'memory' && !isRedisUrl(store)) throw new BadOptions('store is "memory" or a URL like redis://127.0.0.1:6379/0')
  const endpoint = readEndpoint(socket, listen, tls && { cert: tls.cert, key: tls.key, clientCa: tls.clientCa })
  const { server, program } = await launch(agent, { endpoint, log, store, workers })
  const drain = (): Promise<void> => server.drain(drainTimeoutMs)
  return { address: server.address, get open () { return program.open }, drain, [Symbol.asyncDispose]: drain }
}
