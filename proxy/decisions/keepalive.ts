import { encodeHealthCheckRequest, frame, healthService } from '../../proto/codec/index.ts'
import { Fault } from '../pipeline/faults.ts'
import { unary } from './grpc-stream.ts'
import type { AgentSession } from './session.ts'

export interface KeepaliveHooks {
  onStalled (): void
  onRevived (): void
  /** No sign of life for five times the ping timeout. */
  onDead (): void
}

/** Ways to ask for a sign of life. Whatever comes is one; `heard` is called for it. */
export interface Pulse {
  /** No further calls can be made. */
  leaving (): boolean
  /** A small call; resolves when it is over, with whether anything was said about it. */
  probe (): Promise<boolean>
  /** Costs the agent nothing, not even a thread; a gRPC server ends the connection when many come while it says nothing. */
  ping (): void
}

/** PINGs that every gRPC server bears while it says nothing itself (https://github.com/grpc/proposal/blob/master/A8-client-side-keepalive.md: two strikes). */
const mostPings = 2

const maxMessageBytes = 1_024

export function pulseOf (session: AgentSession, { pingTimeoutMs }: { readonly pingTimeoutMs: number }): Pulse {
  const request = frame(encodeHealthCheckRequest({ service: '' }))
  return {
    leaving: () => session.leaving,
    ping: () => session.ping(),
    async probe () {
      try {
        await unary(session, healthService.check, request, { timeoutMs: 6 * pingTimeoutMs, maxMessageBytes })
        return true
      } catch (error) {
        // That it has no such service is an answer.
        return error instanceof Fault && error.code === 'AGENT_BAD_REPLY'
      }
    },
  }
}

/**
 * Watches a connection: a process that is stopped or spins keeps its socket open, so only silence tells. It is asked by a call of
 * `grpc.health.v1.Health`, and when that brings nothing, by HTTP/2 PING (RFC 9113 section 6.7): all its threads may be at work.
 * Returns `heard`, to be called when anything was received, and `stop`.
 */
export function keepalive (
  pulse: Pulse, bounds: { readonly pingIntervalMs: number, readonly pingTimeoutMs: number }, hooks: KeepaliveHooks,
): { heard (): void, stop (): void } {
  let heardMs = performance.now()
  let askedMs: number | undefined
  let probing = false
  /** Since it last said something about a call: that is where gRPC servers begin to count. */
  let pings = 0
  let pinged = false
  let stalled = false
  let stopped = false
  const heard = (): void => {
    heardMs = performance.now()
    askedMs = undefined
    if (!stalled) return
    stalled = false
    hooks.onRevived()
  }
  const probe = async (): Promise<void> => {
    probing = true
    if (await pulse.probe()) pings = 0
    probing = false
  }
  const ping = (): void => {
    if (pings >= mostPings) return
    pings++
    pulse.ping()
  }
  const look = (): void => {
    const now = performance.now()
    if (askedMs === undefined) {
      if (now - heardMs < bounds.pingIntervalMs) return
      const mayCall = !probing && !pulse.leaving()
      // One that answers PINGs, and nothing else, cannot be asked more often than it bears.
      if (!mayCall && pings >= mostPings) return
      askedMs = now
      pinged = !mayCall
      if (mayCall) void probe()
      else ping()
      return
    }
    if (!pinged && now - askedMs >= bounds.pingTimeoutMs / 2) {
      pinged = true
      ping()
    }
    // The timers of a proxy that was itself held up fire before its sockets are read: data that waits there counts first.
    setImmediate(() => judge(now))
  }
  const judge = (now: number): void => {
    if (askedMs === undefined || stopped) return
    const silentMs = now - askedMs
    if (silentMs >= 5 * bounds.pingTimeoutMs) hooks.onDead()
    else if (silentMs >= bounds.pingTimeoutMs && !stalled) {
      stalled = true
      hooks.onStalled()
    }
  }
  const timer = setInterval(look, Math.max(5, Math.min(bounds.pingIntervalMs, bounds.pingTimeoutMs) / 4)).unref()
  return {
    heard,
    stop () {
      stopped = true
      clearInterval(timer)
    },
  }
}
