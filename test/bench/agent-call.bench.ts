// Round trips to an agent and what they cost the proxy: node dist/test/bench/agent-call.bench.js [rounds]
// The same event (15 header fields) to the same kind of process over the same kind of socket; the ratios are what counts.
import { Client, credentials } from '@grpc/grpc-js'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeFromAgent, encode, encodeFrame, FrameDecoder, writeToAgent, type EventOneOf } from '../../proto/codec/index.ts'
import { connectAgent } from '../../proxy/decisions/index.ts'
import { fromDist } from '../support/paths.ts'

type Call = () => Promise<unknown>

interface Contender {
  readonly name: string
  readonly call: Call
  readonly close: () => void
}

const rounds = Number(process.argv[2] ?? 3)
const calls = { 1: 2_000, 64: 16_000 } as const
const terms = { timeoutMs: 5_000, maxTimeoutMs: 5_000 }

const event: EventOneOf = {
  kind: 'request_headers',
  value: {
    requestId: '01JD5Z3K8Q4V', method: 'GET', scheme: 'https', authority: 'shop.example.org', rawPath: '/products/42/reviews', path: '/products/42/reviews',
    query: 'page=2&sort=newest', httpVersion: '1.1', clientIp: '203.0.113.7', clientPort: 51_234, tls: undefined, route: 'shop', listener: 'web', traceparent: '',
    tracestate: '', attributes: new Map(), hasBody: false, contentLength: undefined, mode: 'enforce', bodyMode: undefined, configVersion: 'v1',
    headers: Array.from({ length: 15 }, (_, i) => [`X-Header-Number-${i}`, `value ${i} `.repeat(3)]).flat(),
  },
}

const folder = mkdtempSync(join(tmpdir(), 'sentinel-bench-'))
const server = spawn(process.execPath, [fromDist('test', 'bench', 'agent-call-server.js'), folder], { stdio: ['pipe', 'pipe', 'inherit'] })
await new Promise((resolve) => server.stdout.once('data', resolve))
const sdkAgent = spawn(process.execPath, [fromDist('test', 'bench', 'allow-agent.js')], {
  stdio: ['pipe', 'ignore', 'ignore'], env: { ...process.env, SENTINEL_SOCKET: join(folder, 'sdk.sock'), SENTINEL_MANAGED: '1' },
})

const contenders = [
  await talking('client, raw agent', join(folder, 'raw.sock')),
  await talking('client, SDK agent', join(folder, 'sdk.sock')),
  echoing(join(folder, 'echo.sock')),
  unary(join(folder, 'unary.sock')),
]

for (const inFlight of [1, 64] as const) {
  const results = new Map<string, Array<{ rate: number, cpuUs: number }>>(contenders.map(({ name }) => [name, []]))
  for (const { call } of contenders) await measure(call, inFlight, calls[inFlight] / 4)
  for (let round = 0; round < rounds; round++) {
    for (const { name, call } of contenders) results.get(name)!.push(await measure(call, inFlight, calls[inFlight]))
  }
  const best = new Map([...results].map(([name, list]) => [name, list.reduce((a, b) => a.cpuUs < b.cpuUs ? a : b)]))
  const floor = best.get('raw echo')!
  const grpc = best.get('grpc-js unary')!
  console.log(`\n${inFlight} in flight`)
  for (const [name, { rate, cpuUs }] of best) {
    console.log(`${name.padEnd(20)} ${Math.round(rate).toString().padStart(7)} round trips/s ${cpuUs.toFixed(1).padStart(7)} µs CPU   ×${(cpuUs / floor.cpuUs).toFixed(2)} of echo, ×${(cpuUs / grpc.cpuUs).toFixed(2)} of unary   time ×${(floor.rate / rate).toFixed(2)} / ×${(grpc.rate / rate).toFixed(2)}`)
  }
}

for (const { close } of contenders) close()
server.stdin.end()
sdkAgent.stdin.end()
rmSync(folder, { recursive: true, force: true })

async function measure (call: Call, inFlight: number, count: number): Promise<{ rate: number, cpuUs: number }> {
  const started = performance.now()
  const before = process.cpuUsage()
  let left = count
  await Promise.all(Array.from({ length: inFlight }, async () => {
    while (left-- > 0) await call()
  }))
  const { user, system } = process.cpuUsage(before)
  return { rate: count * 1000 / (performance.now() - started), cpuUs: (user + system) / count }
}

/** As the filter does: a talk for each exchange, one question, complete. */
async function talking (name: string, path: string): Promise<Contender> {
  const client = connectAgent({ id: 'bench', target: { path }, config: { json: '{}', version: 'v1' } })
  await client.settled(10_000)
  if (client.state !== 'ready') throw new Error(`${name}: ${client.state} ${client.lastError ?? ''}`)
  const complete = { status: 200, requestBodyBytes: 0, responseBodyBytes: 0, durationMs: 1, upstreamMs: 1, error: '' }
  return {
    name,
    call: async () => {
      const talk = client.talk()
      await talk.ask(event, terms)
      talk.complete(complete)
    },
    close: () => void client.close(),
  }
}

function echoing (path: string): Contender {
  const socket = connect(path)
  const frames = new FrameDecoder(1024 * 1024)
  const waiting = new Map<number, () => void>()
  let id = 0
  socket.on('data', (data) => {
    for (const message of frames.push(data)) {
      for (const { exchange } of decodeFromAgent(message).replies) {
        waiting.get(exchange)!()
        waiting.delete(exchange)
      }
    }
  })
  return {
    name: 'raw echo',
    call: () => new Promise<void>((resolve) => {
      waiting.set(++id, resolve)
      socket.write(encodeFrame(writeToAgent, { events: [{ exchange: id, sequence: 1, timeoutMs: 5_000, ...event }] }))
    }),
    close: () => socket.destroy(),
  }
}

function unary (path: string): Contender {
  const client = new Client(`unix:${path}`, credentials.createInsecure())
  let id = 0
  return {
    name: 'grpc-js unary',
    call: () => new Promise((resolve, reject) => {
      const message = encode(writeToAgent, { events: [{ exchange: ++id, sequence: 1, timeoutMs: 5_000, ...event }] })
      client.makeUnaryRequest('/bench/Ask', (bytes: Buffer) => bytes, (bytes) => decodeFromAgent(bytes), message, (error, answer) => error === null ? resolve(answer) : reject(error))
    }),
    close: () => client.close(),
  }
}
