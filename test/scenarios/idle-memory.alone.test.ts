import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { startSentinel } from '../support/sentinel.ts'

const connections = 10_000
const descriptors = Number(execFileSync('sh', ['-c', 'ulimit -n']).toString())
const possible = Number.isNaN(descriptors) || descriptors >= connections + 500 ? {} : { skip: `${descriptors} file descriptors are too few` }

function residentMb (pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}

/** Connected, served once, and silent from then on. */
function idle (port: number, localAddress: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress }, () => {
      socket.write('GET / HTTP/1.1\r\nHost: a.test\r\nUser-Agent: a browser with a name of some length\r\nCookie: session=0123456789abcdef0123456789abcdef\r\n\r\n')
    })
    socket.once('data', () => resolve(socket)).on('error', reject)
  })
}

test('10 000 idle connections take at most 150 MB, and a proxy without any at most 80 MB', { ...possible, timeout: 400_000 }, async (t) => {
  const upstream = await startRecordingUpstream(t, (_, response) => response.end('x'.repeat(100)))
  const sentinel = await startSentinel(t, `limits { max-total-connections 20000 }
listeners { listener "web" { address "127.0.0.1:0"; keepalive-timeout "1h" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" { target "127.0.0.1:${upstream.port}" } }
observability { metrics { address "127.0.0.1:0" } }`)
  // V8 gives back what the start needed when nothing happened for some seconds.
  let unused = residentMb(sentinel.pid)
  for (let tries = 0; unused > 80 && tries < 90; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    unused = residentMb(sentinel.pid)
  }
  const sockets: Socket[] = []
  t.after(() => { for (const socket of sockets) socket.destroy() })
  for (let i = 0; i < connections; i += 100) sockets.push(...await Promise.all(Array.from({ length: 100 }, () => idle(sentinel.port(), `127.0.0.${2 + i % 200}`))))
  const used = residentMb(sentinel.pid)
  t.diagnostic(`${unused.toFixed(1)} MB without a connection, ${used.toFixed(1)} MB with ${sockets.length}`)
  assert.match(await sentinel.metrics(), /sentinel_open_connections\{listener="web"\} 10000\n/)
  assert.ok(unused <= 80, `${unused.toFixed(1)} MB without a connection`)
  assert.ok(used <= 150, `${used.toFixed(1)} MB with ${connections} connections`)
})
