import type { ListenerConfig, SentinelConfig } from '../../config/sentinel/index.ts'
import { HeldSocket, type Binding } from '../listeners/held-socket.ts'
import { canonicalKey } from './leases.ts'
import { bindingOf } from './needs-restart.ts'

/** The sockets that clients connect to. They are bound once and outlive configurations: whoever serves them may change, nobody who connects meets a closed door. */
export class SocketTable {
  readonly #held = new Map<string, HeldSocket>()

  /** One for each listener, by its id: those that are held already, the others bound now. Rejects with a sentence for the operator, and has bound nothing then. */
  async bind ({ listeners }: Pick<SentinelConfig, 'listeners'>): Promise<Map<string, HeldSocket>> {
    const bound: string[] = []
    const sockets = new Map<string, HeldSocket>()
    try {
      for (const listener of listeners) {
        const key = socketKey(listener)
        let socket = this.#held.get(key)
        if (socket === undefined) {
          socket = await hold(listener)
          this.#held.set(key, socket)
          bound.push(key)
        }
        sockets.set(listener.id, socket)
      }
      return sockets
    } catch (error) {
      for (const key of bound) this.#close(key)
      throw error
    }
  }

  /** Closes those that none of these listeners has. */
  keep ({ listeners }: Pick<SentinelConfig, 'listeners'>): void {
    const wanted = new Set(listeners.map(socketKey))
    for (const key of this.#held.keys()) if (!wanted.has(key)) this.#close(key)
  }

  close (): void {
    for (const key of this.#held.keys()) this.#close(key)
  }

  #close (key: string): void {
    this.#held.get(key)?.close()
    this.#held.delete(key)
  }
}

async function hold (listener: ListenerConfig): Promise<HeldSocket> {
  try {
    return await HeldSocket.bind(bindingOf(listener))
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new Error(`listener '${listener.id}' cannot listen on ${listener.address.text}: ${why}`, { cause: error })
  }
}

/** Any free port is another one for each listener. */
function socketKey (listener: ListenerConfig): string {
  const binding: Binding = bindingOf(listener)
  return canonicalKey('socket', { ...binding, backlog: undefined, ...binding.unix === undefined && binding.port === 0 ? { id: listener.id } : {} })
}
