import type { Socket } from 'node:net'
import type { Exchange } from '../pipeline/exchange.ts'

/** A connection of a client once its protocol is known: what the listener asks of it, whatever it speaks. */
export interface ClientConnection {
  readonly socket: Socket
  /** When the connection is given up if nothing happens, in milliseconds of `performance.now`; Infinity while that is not the listener's business. */
  readonly deadline: number
  /** The deadline has passed. */
  expire (): void
  /** Ends as soon as what it is busy with is done; at once when it is with nothing. Further requests are not served. */
  drain (): void
  /** Ends exchanges that go on where nothing is served any more, in good form where there is one. */
  end? (which: (x: Exchange) => boolean): void
  /** The listener waits no longer: the connection is gone a moment later. Without it the socket is destroyed. */
  cut? (): void
}
