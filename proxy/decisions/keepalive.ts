import type { ClientHttp2Session } from 'node:http2'

export interface KeepaliveHooks {
  onStalled (): void
  onRevived (): void
  /** No sign of life for five times the ping timeout. */
  onDead (): void
}

/**
 * Watches a connection by HTTP/2 PING (RFC 9113 section 6.7): a process that is stopped or spins keeps its socket open, so only silence tells.
 * Returns `heard`, to be called when anything was received, and `stop`.
 */
export function keepalive (
  session: ClientHttp2Session, bounds: { readonly pingIntervalMs: number, readonly pingTimeoutMs: number }, hooks: KeepaliveHooks,
): { heard (): void, stop (): void } {
  let heardMs = performance.now()
  let askedMs: number | undefined
  let stalled = false
  const heard = (): void => {
    heardMs = performance.now()
    if (!stalled) return
    stalled = false
    hooks.onRevived()
  }
  const look = (): void => {
    const now = performance.now()
    if (askedMs === undefined) {
      if (now - heardMs < bounds.pingIntervalMs || session.destroyed) return
      askedMs = now
      session.ping(() => {
        askedMs = undefined
        if (!session.destroyed) heard()
      })
      return
    }
    // The timers of a proxy that was itself held up fire before its sockets are read: data that waits there counts first.
    setImmediate(() => judge(now))
  }
  const judge = (now: number): void => {
    if (askedMs === undefined || session.destroyed) return
    const silentMs = Math.min(now - askedMs, now - heardMs)
    if (silentMs >= 5 * bounds.pingTimeoutMs) hooks.onDead()
    else if (silentMs >= bounds.pingTimeoutMs && !stalled) {
      stalled = true
      hooks.onStalled()
    }
  }
  const timer = setInterval(look, Math.max(5, Math.min(bounds.pingIntervalMs, bounds.pingTimeoutMs) / 4)).unref()
  return { heard, stop: () => clearInterval(timer) }
}
