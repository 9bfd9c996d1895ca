import type { Exchange } from '../pipeline/exchange.ts'

/** A connection, as far as its making took time. */
export interface Dialled {
  readonly dialledMs: number
  readonly connectMs: number
  readonly tlsMs: number
}

/** It was made for this exchange. */
export function tellConnecting (x: Exchange, { connectMs, tlsMs }: Dialled): void {
  x.connectMs = connectMs
  x.tlsMs = tlsMs
}

/** It has a place that it waited for since `sinceMs`, or gets none. What was spent on making a connection in that time is no waiting for others. */
export function tellWaiting (x: Exchange, place: Dialled | undefined, sinceMs: number): void {
  x.poolMs = performance.now() - sinceMs
  if (place === undefined || place.dialledMs < sinceMs) return
  tellConnecting(x, place)
  x.poolMs = Math.max(0, x.poolMs - place.connectMs - place.tlsMs)
}

/** The next try: what the one before took is not its. */
export function forgetConnecting (x: Exchange): void {
  x.poolMs = x.connectMs = x.tlsMs = 0
}
