// Asks agents over each transport in turn, as a proxy does, and measures what that costs this process. Arguments: the folder of the sockets, seconds,
// rounds, the file for the results.
import { Client, credentials } from '@grpc/grpc-js'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { decodeFromAgent, encode, encodeFrame, FrameDecoder, keepEncoded, writeToAgent, type Event, type EventOneOf, type FieldLines } from '../../../proto/codec/index.ts'
import { connectAgent, type AgentClient } from '../../../proxy/decisions/index.ts'
import { agentDone, type Talk } from '../../../proxy/decisions/talk.ts'
import { settleEngine } from '../../../proxy/lifecycle/engine.ts'
import type { Sample } from '../figures.ts'
import { Latencies } from '../load/percentile.ts'
import { callCases, type CallCase, type CallerId } from './call-cases.ts'

/** Puts the event, or the next piece of a body, and resolves with the answer. */
type Call = () => Promise<unknown>

const [folder = '', seconds = '1', rounds = '1', file = ''] = process.argv.slice(2)
const terms = { timeoutMs: 5_000, maxTimeoutMs: 5_000 }
/** Pieces of one body. */
const piecesOfBody = 256

const fields = Array.from({ length: 15 }, (_, i) => [`X-Header-Number-${i}`, `value ${i} `.repeat(3)]).flat()

/** An event for each agent, as the filter of a route makes it; the lines are those of one exchange. */
const headWith = (headers: FieldLines): EventOneOf => ({
  kind: 'request_headers',
  value: {
    requestId: '01JD5Z3K8Q4V', method: 'GET', scheme: 'https', authority: 'shop.example.org', rawPath: '/products/42/reviews', path: '/products/42/reviews',
    query: 'page=2&sort=newest', httpVersion: '1.1', clientIp: '203.0.113.7', clientPort: 51_234, tls: undefined, route: 'shop', listener: 'web', traceparent: '',
    tracestate: '', attributes: new Map(), hasBody: false, contentLength: undefined, mode: 'enforce', bodyMode: undefined, configVersion: 'v1',
    headers,
  },
})
const head = headWith(fields)
const complete = { status: 200, requestBodyBytes: 0, responseBodyBytes: 0, durationMs: 1, upstreamMs: 1, error: '' }

settleEngine()()

let exchange = 0
const clients = new Map<string, AgentClient>()
const results: Record<string, Record<string, Sample[]>> = {}
for (const one of callCases) {
  const event: EventOneOf = one.chunkBytes === undefined
    ? head : { kind: 'request_body', value: { data: Buffer.alloc(one.chunkBytes, 'body '), end: false, truncated: false } }
  const callsOf = new Map<CallerId, () => Call>()
  for (const id of one.contenders) callsOf.set(id, await transport(id, event))
  const measured: Record<string, Sample[]> = results[one.id] = {}
  for (const calls of callsOf.values()) await measure(one, calls, Number(seconds))
  for (let round = 0; round < Number(rounds); round++) {
    for (const [id, calls] of callsOf) (measured[id] ??= []).push(await measure(one, calls, Number(seconds)))
  }
}
writeFileSync(file, JSON.stringify(results))
process.exit(0)

async function measure ({ inFlight, chunkBytes }: CallCase, calls: () => Call, forSeconds: number): Promise<Sample> {
  const latencies = new Latencies()
  const startMs = performance.now()
  const untilMs = startMs + forSeconds * 1000
  const before = process.cpuUsage()
  await Promise.all(Array.from({ length: inFlight }, async () => {
    const call = calls()
    for (let beganMs = performance.now(); beganMs < untilMs;) {
      await call()
      const nowMs = performance.now()
      latencies.add(nowMs - beganMs)
      beganMs = nowMs
    }
  }))
  const { user, system } = process.cpuUsage(before)
  const { p50Ms, p99Ms } = latencies.summary()
  const perSecond = latencies.count * 1000 / (performance.now() - startMs)
  return {
    cpuUs: (user + system) / latencies.count, perSecond, p50Us: p50Ms * 1000, p99Us: p99Ms * 1000,
    ...chunkBytes === undefined ? {} : { mbPerSecond: perSecond * chunkBytes / 1e6 },
  }
}

/** A caller of its own for each of those in flight. */
async function transport (id: CallerId, event: EventOneOf): Promise<() => Call> {
  const name = event.kind === 'request_body' ? 'pass' : 'allow'
  switch (id) {
    case 'echo': return echoing([0], event)
    case 'echo-4': return echoing([0, 1, 2, 3], event)
    case 'asked': return talking([await ready(`${name}-0.sock`)], event)
    case 'asked-raw': return talking([await ready('raw.sock')], event)
    case 'chain-4': return talking(await Promise.all([0, 1, 2, 3].map((i) => ready(`${name}-${i}.sock`))), event)
    case 'unary': return unary(event)
    case 'stream-each': return streaming(event)
  }
}

async function ready (socket: string): Promise<AgentClient> {
  const client = clients.get(socket) ?? connectAgent({ id: socket, target: { path: join(folder, socket) }, config: { json: '{}', version: 'v1' } })
  clients.set(socket, client)
  await client.settled(10_000)
  if (client.state !== 'ready') throw new Error(`${socket}: ${client.state} ${client.lastError ?? ''}`)
  return client
}

/** As the filter of a route does: a talk for each exchange, told of its end where the agent was not done with it before. */
function talking (chain: readonly AgentClient[], event: EventOneOf): () => Call {
  if (event.kind === 'request_body') return () => showing(chain[0]!, event)
  return () => async () => {
    const open: Talk[] = []
    const lines = chain.length > 1 ? keepEncoded(fields.slice()) : fields.slice()
    for (const client of chain) {
      const talk = client.talk()
      const answer = await talk.ask(headWith(lines), terms)
      if (answer.kind === 'decision' && answer.value.wants?.done === true) talk.end(agentDone)
      else open.push(talk)
    }
    for (const talk of open) talk.complete(complete)
  }
}

function showing (client: AgentClient, event: EventOneOf): Call {
  let talk = client.talk()
  let pieces = 0
  return async () => {
    if (pieces === 0) talk.tell(head)
    await (await talk.put(event, terms, true)).answer
    if (++pieces < piecesOfBody) return
    pieces = 0
    talk.complete(complete)
    talk = client.talk()
  }
}

function next (event: EventOneOf): { events: Event[] } {
  return { events: [{ exchange: ++exchange, sequence: 1, timeoutMs: 5_000, ...event }] }
}

function echoing (echoes: readonly number[], event: EventOneOf): () => Call {
  const puts = echoes.map((echo) => {
    const socket = connect(join(folder, `echo-${echo}.sock`))
    const frames = new FrameDecoder(1024 * 1024)
    const waiting = new Map<number, () => void>()
    socket.on('data', (data) => {
      for (const message of frames.push(data)) {
        for (const { exchange: id } of decodeFromAgent(message).replies) {
          waiting.get(id)!()
          waiting.delete(id)
        }
      }
    })
    return (): Promise<void> => new Promise((resolve) => {
      const message = next(event)
      waiting.set(exchange, resolve)
      socket.write(encodeFrame(writeToAgent, message))
    })
  })
  return () => async () => { for (const put of puts) await put() }
}

function bytes (given: Buffer): Buffer {
  return given
}

function unary (event: EventOneOf): () => Call {
  const client = new Client(`unix:${join(folder, 'grpc.sock')}`, credentials.createInsecure())
  return () => () => new Promise((resolve, reject) => {
    client.makeUnaryRequest('/bench/Ask', bytes, decodeFromAgent, encode(writeToAgent, next(event)), (error, answer) => error === null ? resolve(answer) : reject(error))
  })
}

function streaming (event: EventOneOf): () => Call {
  const client = new Client(`unix:${join(folder, 'grpc.sock')}`, credentials.createInsecure())
  return () => () => new Promise((resolve, reject) => {
    const stream = client.makeBidiStreamRequest('/bench/Stream', bytes, decodeFromAgent)
    stream.on('error', reject)
    stream.on('data', (answer) => {
      stream.end()
      resolve(answer)
    })
    stream.write(encode(writeToAgent, next(event)))
  })
}
