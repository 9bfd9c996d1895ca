import type { SentinelConfig } from '../../config/sentinel/index.ts'
import { createAdmin, type Admin, type AdminOptions } from '../admin/admin.ts'

type Metrics = SentinelConfig['observability']['metrics']

/** What is about to be taken over: bound, and nobody is sent there yet. */
export interface PreparedAdmin {
  readonly take: () => void
  readonly discard: () => Promise<void>
}

interface Open {
  readonly admin: Admin
  readonly key: string
  readonly address: string
}

/** The server of operators, wherever the running configuration wants it. */
export class AdminServer {
  readonly #options: Omit<AdminOptions, 'host' | 'port' | 'path'>
  readonly #inherited: Map<string, number>
  #open: Open | undefined = undefined

  /** `inherited`: descriptors of the process before this one. */
  constructor (options: Omit<AdminOptions, 'host' | 'port' | 'path'>, inherited: ReadonlyMap<string, number> = new Map()) {
    this.#options = options
    this.#inherited = new Map(inherited)
  }

  /** `host:port` as bound; `undefined` while there is none. */
  get address (): string | undefined {
    return this.#open?.address
  }

  /** Binds the address when it is another one. Rejects with an `AdminError`, and everything is as before. */
  async prepare ({ enabled, address: { host, port }, path }: Metrics): Promise<PreparedAdmin> {
    const old = this.#open
    const key = keyOf(host, port)
    if (!enabled) return { take: () => this.#become(undefined), discard: async () => { /* it is still open */ } }
    if (old?.key === key) return { take: () => old.admin.setPath(path), discard: async () => { /* nothing was changed */ } }
    const inTheWay = old !== undefined && port !== 0 && old.address.endsWith(`:${port}`) ? old : undefined
    await inTheWay?.admin.pause()
    try {
      const next = await this.#bind(host, port, path, key)
      return {
        take: () => this.#become(next),
        discard: async () => {
          await next.admin.close()
          await inTheWay?.admin.listen()
        },
      }
    } catch (error) {
      await inTheWay?.admin.listen()
      throw error
    }
  }

  /** What a successor needs to serve the same address. */
  descriptors (): Array<readonly [key: string, descriptor: number]> {
    return this.#open === undefined ? [] : [[this.#open.key, this.#open.admin.descriptor]]
  }

  async close (): Promise<void> {
    await this.#open?.admin.close()
  }

  async #bind (host: string, port: number, path: string, key: string): Promise<Open> {
    const admin = createAdmin({ ...this.#options, host, port, path })
    const descriptor = this.#inherited.get(key)
    this.#inherited.delete(key)
    const bound = await admin.listen(descriptor)
    return { admin, key, address: bound.host.includes(':') ? `[${bound.host}]:${bound.port}` : `${bound.host}:${bound.port}` }
  }

  #become (next: Open | undefined): void {
    const old = this.#open
    this.#open = next
    void old?.admin.close()
  }
}

function keyOf (host: string, port: number): string {
  return `admin ${host} ${port}`
}
