import { connect, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { atEnd } from './at-end.ts'
import type { RunningSentinel } from './sentinel.ts'
import { httpUpstream } from './upstream.ts'
import { eventually, workersOf, type WorkerStatus } from './workers.ts'

export function kdl (upstream: number, { system = '', listener = '', route = '', more = '', log = 'enabled #false' } = {}): string {
  return `
system { worker-threads 2; graceful-shutdown-timeout "2s"; ${system} }
listeners { listener "web" { address "127.0.0.1:0"; ${listener} } }
routes { route "all" { matches { path-prefix "/" }; upstream "app"; ${route} } }
upstreams { upstream "app" { target "127.0.0.1:${upstream}" } }
observability { metrics { address "127.0.0.1:0" }; access-log { ${log} } }
${more}`
}

export async function answering (t: TestContext, text = 'served', ms = 0) {
  return httpUpstream(t, (_message, response) => { setTimeout(() => response.end(text), ms) })
}

/** Connections that stay open, and how many of them do. */
export async function opened (t: TestContext, port: number, count: number): Promise<{ readonly sockets: Socket[], readonly open: () => number }> {
  const sockets = await Promise.all(Array.from({ length: count }, () => new Promise<Socket>((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket))
    socket.on('error', () => { /* refused ones are reset */ })
    atEnd(t, () => socket.destroy())
  })))
  return { sockets, open: () => sockets.filter(({ destroyed, readyState }) => !destroyed && readyState === 'open').length }
}

/** A connection to each worker: the system gives a new one to whoever is first. */
export async function bothTakePart (sentinel: RunningSentinel, t: TestContext): Promise<readonly WorkerStatus[]> {
  return eventually(async () => {
    await opened(t, sentinel.port(), 8)
    return workersOf(sentinel)
  }, (all) => all.every(({ connections }) => connections > 0))
}
