/**
 * What leaves the proxy, read by two servers of other people: whatever nginx and HAProxy make of a connection of ours is what the server behind them would
 * have got from us at first hand. Skipped where they are not installed.
 */
import { strict as assert } from 'node:assert'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import { randomFrom } from '../support/chance.ts'
import { eventually } from '../support/eventually.ts'
import { folderWith } from '../support/folder.ts'
import { hostileRequest } from '../support/hostile-requests.ts'
import { startProxy } from '../support/proxy.ts'
import { deadPort } from '../support/upstream.ts'
import { seenFirst } from '../support/wire-path.ts'
import type { Filter } from '../../proxy/pipeline/exchange.ts'

const inputs = 250
const seed = Number(process.env['FUZZ_SEED'] ?? 20_261_130)

interface Neighbour {
  readonly name: string
  readonly command: string
  readonly files: (port: number, behind: number) => Record<string, string>
  readonly args: (folder: string) => string[]
}

const neighbours: readonly Neighbour[] = [
  {
    name: 'nginx',
    command: '/usr/sbin/nginx',
    files: (port, behind) => ({ 'nginx.conf': `
      daemon off; master_process off; pid nginx.pid; error_log stderr crit;
      events { worker_connections 64; }
      http { access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
        server { listen 127.0.0.1:${port}; keepalive_requests 100000; location / { proxy_pass http://127.0.0.1:${behind}; proxy_http_version 1.1; proxy_request_buffering off; } } }` }),
    args: (folder) => ['-p', folder, '-c', 'nginx.conf'],
  },
  {
    name: 'HAProxy',
    command: '/usr/sbin/haproxy',
    files: (port, behind) => ({ 'haproxy.cfg': `
defaults
  mode http
  timeout connect 60s
  timeout client 60s
  timeout server 60s
frontend in
  bind 127.0.0.1:${port}
  default_backend app
backend app
  server app 127.0.0.1:${behind}
` }),
    args: (folder) => ['-q', '-f', `${folder}/haproxy.cfg`],
  },
]

/** A server that remembers requests by the input that they came of: method and body, since servers write targets anew. */
async function remembering (t: TestContext): Promise<{ port: number, seen: Map<number, string[]> }> {
  const seen = new Map<number, string[]>()
  const server = createServer((request, response) => {
    let body = ''
    request.on('error', () => { /* broken off */ }).on('data', (piece: Buffer) => { body += piece.toString('latin1') }).on('end', () => {
      const input = Number(request.headers['x-input'])
      seen.set(input, [...seen.get(input) ?? [], `${request.method} ${JSON.stringify(body)}`])
      response.end('ok')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return { port: (server.address() as AddressInfo).port, seen }
}

async function startNeighbour (t: TestContext, { command, files, args }: Neighbour, behind: number): Promise<number> {
  const port = await deadPort()
  const folder = folderWith(t, files(port, behind))
  const program = spawn(command, args(folder), { stdio: 'ignore' })
  const ended = once(program, 'exit')
  t.after(async () => {
    program.kill('SIGKILL')
    await ended
  })
  await eventually(`${command} listens`, async () => {
    assert.equal(program.exitCode, null, `${command} does not listen`)
    const socket = connect(port, '127.0.0.1')
    const ready = await new Promise<boolean>((resolve) => { socket.once('connect', () => resolve(true)).once('error', () => resolve(false)) })
    socket.destroy()
    return ready
  })
  return port
}

/** Sends the bytes and waits until the proxy has answered all it will: it closes, or is silent. `onPort` hears from which port before anything is sent. */
function send (port: number, bytes: Buffer, onPort: (port: number) => void): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => onPort(socket.localPort!))
    let timer = setTimeout(() => socket.destroy(), 400)
    socket.on('error', () => {}).on('close', () => resolve()).on('data', () => {
      clearTimeout(timer)
      timer = setTimeout(() => socket.destroy(), 60)
    }).on('end', () => socket.destroy())
    socket.write(bytes)
  })
}

describe('what leaves the proxy', () => {
  for (const neighbour of neighbours) {
    const skip = existsSync(neighbour.command) ? false : `${neighbour.command} is not installed`
    test(`is for ${neighbour.name} what it is for the server behind it`, { skip }, async (t) => {
      const random = randomFrom(seed)
      const behind = await remembering(t)
      const inputOf = new Map<number, number>()
      // On a busy machine a request may arrive when the next input is already sent: each says whose it is.
      const mark: Filter = {
        name: 'mark',
        onRequest ({ peer, request }) {
          request.headers.set('x-input', String(inputOf.get(peer.port)))
          return undefined
        },
      }
      const { port } = await startProxy(t, { targets: [await startNeighbour(t, neighbour, behind.port)], filters: [mark] })
      const sent = new Map<number, { bytes: Buffer, expected: readonly string[] }>()
      for (let input = 0; input < inputs; input++) {
        const bytes = Buffer.from(hostileRequest(random), 'latin1')
        const expected = await seenFirst(bytes)
        if (expected.length === 0) continue
        sent.set(input, { bytes, expected })
        await send(port, bytes, (from) => inputOf.set(from, input))
      }
      // A neighbour may refuse; what it passes on is what we sent, in our order, and nothing else.
      let passed = 0
      for (const [input, seen] of behind.seen) {
        const { bytes, expected } = sent.get(input) ?? assert.fail(`of no input: ${seen.join()}`)
        let at = 0
        for (const request of seen) {
          const index = expected.indexOf(request, at)
          assert.notEqual(index, -1, `input ${input} of seed ${seed}: ${JSON.stringify(bytes.toString('latin1'))}\nsent: ${expected.join()}\nseen: ${seen.join()}`)
          at = index + 1
        }
        passed += seen.length
      }
      t.diagnostic(`${passed} requests arrived`)
      assert.ok(passed > inputs / 10, `${passed} requests arrived`)
    })
  }
})
