import { unixPeer } from '../../config/schema/index.ts'
import type { ListenerConfig, SentinelConfig } from '../../config/sentinel/index.ts'
import { checkTls, createListener, type BoundSocket, type Door, type HandshakeOutcome, type Listener, type ListenerSettings } from '../listeners/index.ts'
import type { Log } from '../observe/log.ts'
import type { Metrics } from '../observe/metrics.ts'
import { serve, type Site } from '../pipeline/serve.ts'
import type { Certificates, PreparedTls } from './certificates.ts'
import { listenerLog } from './listener-log.ts'
import { listenerSettings, socketKey } from './listener-settings.ts'

export interface ListenerSurroundings {
  readonly log: Log
  readonly metrics: Pick<Metrics, 'table'>
  readonly certificates: Certificates
  readonly door: Door
  /** What the running configuration serves on a listener; `undefined` when it has no such listener. */
  readonly siteOf: (listener: string) => Site | undefined
}

/** What listeners are about to be given: read and checked, and in nobody's hands yet. */
export type PreparedListeners = ReadonlyArray<{
  readonly key: string
  readonly config: ListenerConfig
  readonly settings: ListenerSettings
  readonly tls: PreparedTls | undefined
}>

interface Open {
  readonly listener: Listener
  /** The last that was served, for a request whose head was half there when its listener left the configuration. */
  site: Site
  say: ReturnType<typeof listenerLog>
}

/** The listeners of this process, by the socket that they serve. */
export class OpenListeners {
  readonly #around: ListenerSurroundings
  readonly #open = new Map<string, Open>()
  /** Nobody comes in any more; those that are there finish. */
  readonly #leaving = new Map<Listener, Promise<void>>()

  constructor (around: ListenerSurroundings) {
    this.#around = around
  }

  get current (): Listener[] {
    return [...this.#open.values()].map(({ listener }) => listener)
  }

  get all (): Listener[] {
    return [...this.current, ...this.#leaving.keys()]
  }

  /** Reads what listeners need; changes nothing. Rejects when something of it cannot be used. */
  async prepare (config: SentinelConfig): Promise<PreparedListeners> {
    return Promise.all(config.listeners.map(async (listener) => {
      const tls = await this.#around.certificates.prepare(listener)
      if (tls !== undefined) checkTls(listener.id, tls.settings)
      const settings = { ...listenerSettings(listener, config), ...tls === undefined ? {} : { tls: tls.settings } }
      return { key: socketKey(listener), config: listener, settings, tls }
    }))
  }

  /** The configuration they were prepared for is the running one. `sockets` has all that it needs; what is not in it is let go. */
  take (prepared: PreparedListeners, sockets: ReadonlyMap<string, BoundSocket>, deadline: AbortSignal): void {
    const { certificates } = this.#around
    certificates.keepOnly(new Set(prepared.filter(({ tls }) => tls !== undefined).map(({ config }) => config.id)))
    for (const [key, { listener }] of this.#open) if (!sockets.has(key)) this.#letGo(key, listener, deadline)
    for (const { key, config: { id }, settings, tls } of prepared) {
      const open = this.#open.get(key)
      const listener = open === undefined ? this.#add(key, settings, sockets.get(key)!) : this.#replace(open, settings)
      if (tls !== undefined) certificates.hold(id, tls, listener)
    }
  }

  /** `servesOn`: another process accepts on the same sockets. */
  async close (deadline: AbortSignal, servesOn = false): Promise<void> {
    for (const [key, { listener }] of this.#open) this.#letGo(key, listener, deadline, servesOn)
    const cut = (): void => { for (const listener of this.#leaving.keys()) void listener.close(AbortSignal.abort()) }
    if (deadline.aborted) cut()
    else deadline.addEventListener('abort', cut, { once: true })
    await Promise.all(this.#leaving.values())
    deadline.removeEventListener('abort', cut)
  }

  #letGo (key: string, listener: Listener, deadline: AbortSignal, servesOn = false): void {
    this.#open.delete(key)
    this.#leaving.set(listener, listener.close(deadline, servesOn).finally(() => this.#leaving.delete(listener)))
  }

  #add (key: string, settings: ListenerSettings, socket: BoundSocket): Listener {
    const { metrics: { table }, door, siteOf } = this.#around
    const listener = createListener(settings, {
      serve: (x, client) => {
        open.site = siteOf(x.listener) ?? open.site
        return serve(x, open.site, client)
      },
      // Who speaks for many clients takes no client's share.
      enter: (client) => door.enter(client === unixPeer || open.site.isTrusted(client) ? undefined : client),
      log: (event) => {
        table.listenerFaults.cell(event.listener, event.code).add()
        open.say(event)
      },
      handshake: (outcome) => this.#countHandshake(listener.id, outcome),
    })
    const open: Open = { listener, site: siteOf(settings.id)!, say: this.#logOf(settings.id) } // It is the running configuration's.
    this.#open.set(key, open)
    listener.serve(socket)
    return listener
  }

  #replace (open: Open, settings: ListenerSettings): Listener {
    if (open.listener.id !== settings.id) open.say = this.#logOf(settings.id)
    open.site = this.#around.siteOf(settings.id) ?? open.site
    open.listener.replace(settings)
    return open.listener
  }

  #logOf (id: string): Open['say'] {
    return listenerLog(this.#around.log.child({ component: 'listener', listener: id }))
  }

  #countHandshake (listener: string, { ms, version, resumed, failure }: HandshakeOutcome): void {
    const { table } = this.#around.metrics
    if (failure !== undefined) return table.tlsHandshakeFailures.cell(listener, failure).add()
    table.tlsHandshakes.cell(listener, version, resumed ? 'resumed' : 'full').add()
    table.tlsHandshakeDuration.cell(version).observe(ms / 1000)
  }
}
