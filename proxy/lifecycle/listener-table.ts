import { unixPeer } from '../../config/schema/address.ts'
import type { ListenerConfig, SentinelConfig } from '../../config/sentinel/index.ts'
import { createListener, Door, type HandshakeOutcome, type HeldSocket, type Listener } from '../listeners/index.ts'
import type { Log } from '../observe/log.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { Shares } from '../pipeline/shares.ts'
import { serve } from '../pipeline/serve.ts'
import { Certificates, type PreparedTls } from './certificates.ts'
import { listenerLog } from './listener-log.ts'
import { boundSettings } from './needs-restart.ts'
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
  /** From now on. Cannot fail. */
  commit (): void
  /** Closes what was opened for it. */
  abort (): Promise<void>
}

/** The listeners of the data path, across configurations. */
export class ListenerTable {
  readonly #around: ListenerSurroundings
  readonly #listeners = new Map<string, Listener>()
  readonly #door: Door
  readonly #certificates: Certificates
  /** Have left the configuration, and finish what they have. */
  readonly #closing = new Set<Promise<void>>()

  constructor (around: ListenerSurroundings) {
    const { log, metrics, ticketSecret, shares } = around
    this.#around = around
    this.#door = new Door({ maxConnections: Infinity, maxConnectionsPerClient: Infinity }, shares)
    this.#certificates = new Certificates({ log, metrics, ticketSecret })
    metrics.onScrape((table) => {
      for (const listener of this.#listeners.values()) table.openConnections.cell(listener.id).set(listener.connections)
    })
  }

  get connections (): ReadonlyMap<string, number> {
    return new Map([...this.#listeners.values()].map(({ id, connections }) => [id, connections]))
  }

  /** Reads certificates and opens the listeners that are new: they serve `snapshot` until it is the running one. Rejects, and has changed nothing, when it cannot be. */
  async prepare (config: SentinelConfig, snapshot: Snapshot, sockets: ReadonlyMap<string, HeldSocket>): Promise<ListenerChange> {
    const opened: string[] = []
    const abort = async (): Promise<void> => { for (const id of opened) await this.#close(id, AbortSignal.abort()) }
    try {
      const certificates = await Promise.all(config.listeners.map(async (listener) => [listener.id, await this.#certificates.prepare(listener)] as const))
      for (const listener of config.listeners) {
        if (this.#listeners.has(listener.id)) continue
        await this.#open(listener, snapshot, sockets.get(listener.id)!)
        opened.push(listener.id)
      }
      return { abort, commit: () => this.#commit(config, certificates.filter(([id]) => !opened.includes(id))) }
    } catch (error) {
      await abort()
      throw error
    }
  }

  renewTickets (secret: Buffer): void {
    this.#certificates.renewTickets(secret)
  }

  async close (deadline: AbortSignal): Promise<void> {
    await Promise.all([...[...this.#listeners.keys()].map((id) => this.#close(id, deadline)), ...this.#closing])
    this.#certificates.close()
  }

  #commit (config: SentinelConfig, certificates: ReadonlyArray<readonly [string, PreparedTls | undefined]>): void {
    const { limits, system } = config
    this.#door.limits = { maxConnections: system.maxConnections ?? Infinity, maxConnectionsPerClient: limits.maxConnectionsPerClient ?? Infinity }
    for (const [id, prepared] of certificates) if (prepared !== undefined) this.#renewCertificates(id, prepared)
    for (const id of this.#listeners.keys()) {
      if (config.listeners.some((listener) => listener.id === id)) continue
      const closing = this.#close(id, AbortSignal.timeout(system.gracefulShutdownTimeout)).finally(() => this.#closing.delete(closing))
      this.#closing.add(closing)
    }
  }

  async #open (config: ListenerConfig, first: Snapshot, socket: HeldSocket): Promise<void> {
    const { metrics, others } = this.#around
    const settings = boundSettings(config, first.config)
    const together = others ? settings : undefined
    const say = listenerLog(this.#around.log.child({ component: 'listener', listener: config.id }))
    let site = first.siteOf(config.id)! // The configuration that opens a listener has it.
    const tls = await this.#certificates.prepare(config)
    const listener = createListener({ ...settings, ...tls === undefined ? {} : { tls: tls.settings } }, {
      serve: (x, client) => {
        // A request whose head was half there when its listener left the configuration is served as it was meant to be.
        site = this.#around.snapshot().siteOf(config.id) ?? site
        return serve(x, site, client)
      },
      // Who speaks for many clients takes no client's share.
      enter: (client) => this.#door.enter(client === unixPeer || site.isTrusted(client) ? undefined : client, together),
      log: (event) => {
        metrics.table.listenerFaults.cell(config.id, event.code).add()
        say(event)
      },
      handshake: (outcome) => countHandshake(metrics, config.id, outcome),
    })
    try {
      await listener.start(socket)
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      throw new LoadError(`listener '${config.id}' cannot listen on ${config.address.text}: ${why}`, error)
    }
    this.#listeners.set(config.id, listener)
    if (tls !== undefined) this.#certificates.hold(config.id, tls, listener)
  }

  async #close (id: string, deadline: AbortSignal): Promise<void> {
    const open = this.#listeners.get(id)
    this.#listeners.delete(id)
    this.#certificates.drop(id)
    await open?.close(deadline)
  }

  #renewCertificates (id: string, prepared: PreparedTls): void {
    const listener = this.#listeners.get(id)
    if (listener === undefined) return
    try {
      listener.replaceTls(prepared.settings)
      this.#certificates.hold(id, prepared, listener)
    } catch (error) {
      this.#certificates.kept(id, error)
    }
  }
}

function countHandshake ({ table }: Metrics, listener: string, { ms, version, resumed, failure }: HandshakeOutcome): void {
  if (failure !== undefined) return table.tlsHandshakeFailures.cell(listener, failure).add()
  table.tlsHandshakes.cell(listener, version, resumed ? 'resumed' : 'full').add()
  table.tlsHandshakeDuration.cell(version).observe(ms / 1000)
}
