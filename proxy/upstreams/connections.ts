import { isIP } from 'node:net'
import { buildConnector, Client, type Dispatcher } from 'undici'
import type { EndListener, EndSignal } from '../pipeline/end-signal.ts'
import { Fault } from '../pipeline/faults.ts'

export interface ConnectionSettings {
  readonly host: string
  readonly port: number
  readonly connectTimeoutMs: number
  /** Open connections to this target, busy ones included. */
  readonly maxConnections: number
  /** An unused connection is closed after this long, or earlier when the target says so. */
  readonly idleMs: number
  /** Exchanges that may wait for a connection. */
  readonly maxWaiting: number
  readonly tls: UpstreamTls | undefined
}

export interface UpstreamTls {
  /** Name sent in the handshake and looked for in the certificate; default: the target's host name. */
  readonly sni?: string
  /** PEM of the authorities to trust instead of the system's. */
  readonly ca?: string | Buffer
  readonly insecureSkipVerify?: boolean
}

/** One connection, or the place of one: undici's client dials when there is something to send. */
export class Link {
  /** Answers received since it was dialled. */
  served = 0
  connected = false
  readonly servername: string | undefined
  readonly #client: Client
  readonly #home: Connections

  constructor (client: Client, home: Connections, servername: string | undefined) {
    this.#client = client
    this.#home = home
    this.servername = servername
    client.on('connect', () => {
      this.connected = true
      this.served = 0
    })
    client.on('disconnect', () => {
      this.connected = false
      home.disconnected(this)
    })
  }

  dispatch (options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    this.#client.dispatch(options, handler)
  }

  /** The exchange is over and the connection in order. */
  release (): void {
    this.served++
    this.#home.returned(this)
  }

  /** Ends the connection, in the middle of an exchange or not. */
  destroy (error?: Error): void {
    this.#home.lost(this)
    this.#client.destroy(error ?? null, () => { /* nobody waits for it */ })
  }
}

interface Waiter {
  readonly resolve: (link: Link) => void
  readonly reject: (error: Error) => void
}

/** The connections to one target: last used first, so that those nobody needs grow old and close. */
export class Connections {
  readonly #settings: ConnectionSettings
  readonly #origin: string
  readonly #connector: ReturnType<typeof buildConnector>
  readonly #servername: string | undefined
  readonly #idle: Link[] = []
  readonly #all = new Set<Link>()
  readonly #waiters = new Set<Waiter>()
  #drained: (() => void) | undefined = undefined

  constructor (settings: ConnectionSettings) {
    this.#settings = settings
    const { host, port, tls } = settings
    this.#origin = `${tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${port}`
    // Undici would take the name from the Host field of the request, and dial anew when it changes.
    this.#servername = tls === undefined ? undefined : tls.sni ?? host
    this.#connector = connector(settings)
  }

  /** Open connections, and places of connections being dialled. */
  get size (): number {
    return this.#all.size
  }

  get waiting (): number {
    return this.#waiters.size
  }

  /** A free connection, or a promise of one. Rejects with UPSTREAM_BUSY when too many wait or none gets free in time. */
  take (ending: EndSignal): Link | Promise<Link> {
    const idle = this.#idle.pop()
    if (idle !== undefined) return idle
    if (this.#all.size < this.#settings.maxConnections) return this.#open()
    if (this.#waiters.size >= this.#settings.maxWaiting) {
      return Promise.reject(new Fault('UPSTREAM_BUSY', `${this.#waiters.size} exchanges wait for a connection`))
    }
    return this.#wait(ending)
  }

  returned (link: Link): void {
    if (!this.#all.has(link)) return
    const waiter = this.#nextWaiter()
    if (waiter !== undefined) waiter.resolve(link)
    else if (this.#drained !== undefined) link.destroy()
    else this.#idle.push(link)
  }

  /** Its place is free for another one. */
  lost (link: Link): void {
    if (!this.#all.delete(link)) return
    this.#forgetIdle(link)
    const waiter = this.#nextWaiter()
    if (waiter !== undefined) waiter.resolve(this.#open())
    else if (this.#all.size === 0) this.#drained?.()
  }

  /** Closed while unused: an object for a connection that is no more would only cost memory. */
  disconnected (link: Link): void {
    if (this.#forgetIdle(link)) link.destroy()
  }

  closeIdle (): void {
    for (const link of this.#idle.slice()) link.destroy()
  }

  /** Resolves when the last exchange is over and the last connection closed. */
  drain (): Promise<void> {
    return new Promise((resolve) => {
      this.#drained = resolve
      this.closeIdle()
      if (this.#all.size === 0) resolve()
    })
  }

  destroy (error: Error): void {
    for (const waiter of this.#waiters) waiter.reject(error)
    this.#waiters.clear()
    for (const link of this.#all) link.destroy(error)
  }

  #open (): Link {
    const client = new Client(this.#origin, {
      connect: this.#connector,
      pipelining: 1,
      keepAliveTimeout: this.#settings.idleMs,
      keepAliveMaxTimeout: this.#settings.idleMs,
      // Time is kept by the exchange: undici's own clock ticks in half seconds.
      headersTimeout: 0,
      bodyTimeout: 0,
      maxHeaderSize: 64 * 1024,
      strictContentLength: true,
    })
    const link = new Link(client, this, this.#servername)
    this.#all.add(link)
    return link
  }

  #wait (ending: EndSignal): Promise<Link> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.#waiters.delete(waiter)
        clearTimeout(timer)
        ending.ignore(waiter)
      }
      const waiter: Waiter & EndListener = {
        resolve: (link) => { settle(); resolve(link) },
        reject: (error) => { settle(); reject(error) },
        onExchangeEnd: (reason) => waiter.reject(reason),
      }
      const { connectTimeoutMs } = this.#settings
      const timer = setTimeout(() => waiter.reject(new Fault('UPSTREAM_BUSY', `no connection got free in ${connectTimeoutMs} ms`)), connectTimeoutMs)
      this.#waiters.add(waiter)
      ending.listen(waiter)
    })
  }

  #nextWaiter (): Waiter | undefined {
    for (const waiter of this.#waiters) return waiter
    return undefined
  }

  #forgetIdle (link: Link): boolean {
    const at = this.#idle.indexOf(link)
    if (at === -1) return false
    this.#idle.splice(at, 1)
    return true
  }
}

function connector ({ host, connectTimeoutMs, tls }: ConnectionSettings): ReturnType<typeof buildConnector> {
  // An exchange gives up on its own clock; this one frees the socket of a dial that nobody waits for.
  if (tls === undefined) return buildConnector({ timeout: connectTimeoutMs })
  const dial = buildConnector({
    timeout: connectTimeoutMs,
    minVersion: 'TLSv1.2',
    rejectUnauthorized: tls.insecureSkipVerify !== true,
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
  })
  // Addresses are not sent as names (RFC 6066 section 3); the certificate is checked against the address then.
  const name = tls.sni ?? (isIP(host) === 0 ? host : undefined)
  return (options, callback) => {
    const { servername: _ignored, ...rest } = options
    dial(name === undefined ? rest : { ...rest, servername: name }, callback)
  }
}
