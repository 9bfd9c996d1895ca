import { unixPeer } from '../../config/schema/address.ts'
import type { ListenerConfig, SentinelConfig } from '../../config/sentinel/index.ts'
import {
  BoundSocket, checkTls, createListener, Door, type HandshakeOutcome, type HeldSocket, type Listener, type ListenerSettings, type Place, type Refusal,
} from '../listeners/index.ts'
import type { Log } from '../observe/log.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { Shares } from '../pipeline/shares.ts'
import { serve, type Site } from '../pipeline/serve.ts'
import { Certificates, type PreparedTls } from './certificates.ts'
import { listenerLog } from './listener-log.ts'
import { listenerSettings, socketKey } from './listener-settings.ts'
import { LoadError } from './seam.ts'
import type { Snapshot } from './snapshot.ts'

export interface ListenerSurroundings {
  readonly log: Log
  readonly metrics: Metrics
  /** What tickets of TLS sessions are sealed with. */
  readonly ticketSecret: Buffer
  readonly shares: Shares
  /** Other processes accept from the same sockets: limits of one listener are shared with them. */
  readonly others: boolean
  /** What runs now. */
  readonly snapshot: () => Snapshot
}

/** What a configuration changes about the listeners, made ready. */
export interface ListenerChange {
  /** From now on; the configuration is the running one. Cannot fail. */
  commit (): void
  /** Closes what was opened for it. */
  abort (): Promise<void>
}

/** Read and checked, and in nobody's hands yet. */
interface Prepared {
  readonly key: string
  readonly config: ListenerConfig
  readonly settings: ListenerSettings
  readonly tls: PreparedTls | undefined
}

interface Open {
  readonly listener: Listener
  readonly socket: BoundSocket
  /** The last that was served, for a request whose head was half there when its listener left the configuration. */
  site: Site
  settings: ListenerSettings
  say: ReturnType<typeof listenerLog>
}

/** The listeners of the data path, across configurations. They go by the socket that they serve: its settings may become any others, those of another listener among them. */
export class ListenerTable {
  readonly #around: ListenerSurroundings
  /** By `socketKey`. */
  readonly #open = new Map<string, Open>()
  readonly #door: Door
  readonly #certificates: Certificates
  /** Nobody comes in any more; those that are there finish. */
  readonly #leaving = new Map<Listener, Promise<void>>()

  constructor (around: ListenerSurroundings) {
    const { log, metrics, ticketSecret, shares } = around
    this.#around = around
    this.#door = new Door({ maxConnections: Infinity, maxConnectionsPerClient: Infinity }, shares)
    this.#certificates = new Certificates({ log, metrics, ticketSecret })
    metrics.onScrape((table) => {
      table.openConnections.clear()
      for (const [id, connections] of this.connections) table.openConnections.cell(id).set(connections)
    })
  }

  get connections (): ReadonlyMap<string, number> {
    const counts = new Map<string, number>()
    for (const { id, connections } of this.all) counts.set(id, (counts.get(id) ?? 0) + connections)
    return counts
  }

  /** Also those that nobody comes in through any more. */
  get all (): Listener[] {
    return [...[...this.#open.values()].map(({ listener }) => listener), ...this.#leaving.keys()]
  }

  /** Reads certificates and listens on the sockets that are new: who comes in waits. Rejects, and has changed nothing, when it cannot be. */
  async prepare (config: SentinelConfig, sockets: ReadonlyMap<string, HeldSocket>): Promise<ListenerChange> {
    const opened = new Map<string, BoundSocket>()
    const abort = async (): Promise<void> => { for (const socket of opened.values()) void socket.close() }
    try {
      const prepared = await Promise.all(config.listeners.map((listener) => this.#prepare(listener, config)))
      for (const { key, config: listener } of prepared) {
        if (!this.#open.has(key)) opened.set(key, await listen(listener, sockets.get(listener.id)!))
      }
      return { abort, commit: () => this.#commit(config, prepared, opened) }
    } catch (error) {
      await abort()
      throw error
    }
  }

  renewTickets (secret: Buffer): void {
    this.#certificates.renewTickets(secret)
  }

  /** Ends open exchanges on routes that are gone. */
  endOthers (routes: ReadonlySet<string>): void {
    for (const listener of this.all) listener.end(({ route }) => route !== undefined && !routes.has(route.name))
  }

  /** For another socket on the same port; `resume` if that comes to nothing. */
  suspend (keys: readonly string[]): void {
    for (const key of keys) this.#open.get(key)?.socket.suspend()
  }

  async resume (sockets: ReadonlyMap<string, HeldSocket>): Promise<void> {
    for (const [key, socket] of sockets) await this.#open.get(key)?.socket.resume(socket)
  }

  async close (deadline: AbortSignal): Promise<void> {
    for (const [key, { listener }] of this.#open) this.#letGo(key, listener, deadline)
    const cut = (): void => { for (const listener of this.#leaving.keys()) void listener.close(deadline) }
    if (deadline.aborted) cut()
    else deadline.addEventListener('abort', cut, { once: true })
    await Promise.all(this.#leaving.values())
    deadline.removeEventListener('abort', cut)
    this.#certificates.close()
  }

  async #prepare (listener: ListenerConfig, config: SentinelConfig): Promise<Prepared> {
    const tls = await this.#certificates.prepare(listener)
    if (tls !== undefined) checkTls(listener.id, tls.settings)
    const settings = { ...listenerSettings(listener, config), ...tls === undefined ? {} : { tls: tls.settings } }
    return { key: socketKey(listener), config: listener, settings, tls }
  }

  #commit ({ limits, system }: SentinelConfig, prepared: readonly Prepared[], opened: ReadonlyMap<string, BoundSocket>): void {
    this.#door.limits = { maxConnections: system.maxConnections ?? Infinity, maxConnectionsPerClient: limits.maxConnectionsPerClient ?? Infinity }
    this.#certificates.keepOnly(new Set(prepared.filter(({ tls }) => tls !== undefined).map(({ config }) => config.id)))
    const deadline = AbortSignal.timeout(system.gracefulShutdownTimeout)
    const keys = new Set(prepared.map(({ key }) => key))
    for (const [key, { listener }] of this.#open) if (!keys.has(key)) this.#letGo(key, listener, deadline)
    for (const { key, config: { id }, settings, tls } of prepared) {
      const open = this.#open.get(key)
      const listener = open === undefined ? this.#add(key, settings, opened.get(key)!) : this.#replace(open, settings)
      if (tls !== undefined) this.#certificates.hold(id, tls, listener)
    }
  }

  #letGo (key: string, listener: Listener, deadline: AbortSignal): void {
    this.#open.delete(key)
    this.#leaving.set(listener, listener.close(deadline).finally(() => this.#leaving.delete(listener)))
  }

  #add (key: string, settings: ListenerSettings, socket: BoundSocket): Listener {
    const { metrics, snapshot, others } = this.#around
    const count = <P extends Place | Refusal>(place: P): P | Place => {
      if (typeof place === 'string') return place
      const sinceMs = performance.now()
      const { id } = open.listener
      metrics.table.connections.cell(id).add()
      return {
        leave () {
          metrics.table.connectionDuration.cell(id).observe((performance.now() - sinceMs) / 1000)
          place.leave()
        },
      }
    }
    const listener = createListener(settings, {
      serve: (x, client) => {
        open.site = snapshot().siteOf(x.listener) ?? open.site
        return serve(x, open.site, client)
      },
      // Who speaks for many clients takes no client's share.
      enter: (client) => {
        const together = others ? open.settings : undefined
        const place = this.#door.enter(client === unixPeer || open.site.isTrusted(client) ? undefined : client, together)
        return place instanceof Promise ? place.then(count) : count(place)
      },
      log: (event) => {
        metrics.table.listenerFaults.cell(event.listener, event.code).add()
        open.say(event)
      },
      handshake: (outcome) => countHandshake(metrics, listener.id, outcome),
    })
    const site = snapshot().siteOf(settings.id)! // It is the running configuration's.
    const open: Open = { listener, socket, settings, site, say: this.#logOf(settings.id) }
    this.#open.set(key, open)
    listener.serve(socket)
    return listener
  }

  #replace (open: Open, settings: ListenerSettings): Listener {
    if (open.listener.id !== settings.id) open.say = this.#logOf(settings.id)
    open.site = this.#around.snapshot().siteOf(settings.id) ?? open.site
    open.settings = settings
    open.listener.replace(settings)
    return open.listener
  }

  #logOf (id: string): Open['say'] {
    return listenerLog(this.#around.log.child({ component: 'listener', listener: id }))
  }
}

async function listen ({ id, address, backlog }: ListenerConfig, socket: HeldSocket): Promise<BoundSocket> {
  try {
    return await BoundSocket.listen(socket, backlog)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new LoadError(`listener '${id}' cannot listen on ${address.text}: ${why}`, error)
  }
}

function countHandshake ({ table }: Metrics, listener: string, { ms, version, resumed, failure }: HandshakeOutcome): void {
  if (failure !== undefined) return table.tlsHandshakeFailures.cell(listener, failure).add()
  table.tlsHandshakes.cell(listener, version, resumed ? 'resumed' : 'full').add()
  table.tlsHandshakeDuration.cell(version).observe(ms / 1000)
}
