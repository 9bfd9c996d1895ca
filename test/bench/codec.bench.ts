import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import protobuf from 'protobufjs'
import { decodeToAgent, encodeFrame, encodeToAgent, emptyRequestHeaders, writeToAgent, type ToAgent } from '../../proto/codec/index.ts'

/** What the codec costs: nanoseconds per message, beside the package that made its first version. */

const headers = [
  'Host', 'shop.example', 'User-Agent', 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0', 'Accept', 'text/html,application/xhtml+xml',
  'Accept-Language', 'en-US,en;q=0.5', 'Accept-Encoding', 'gzip, deflate, br', 'Cookie', 'session=0123456789abcdef0123456789abcdef; theme=dark', 'Priority', 'u=0, i',
]
const head: ToAgent = {
  events: [{
    exchange: 123_456, sequence: 1, timeoutMs: 1000, kind: 'request_headers',
    value: {
      ...emptyRequestHeaders, requestId: '01J0000000000000000000000A', method: 'GET', scheme: 'https', authority: 'shop.example', rawPath: '/products/42',
      path: '/products/42', query: 'page=2', httpVersion: '1.1', headers, clientIp: '192.0.2.1', clientPort: 50123, route: 'shop', listener: 'web',
    },
  }],
}
const chunk: ToAgent = {
  events: [{ exchange: 123_456, sequence: 2, timeoutMs: 1000, kind: 'request_body', value: { data: Buffer.alloc(16_384, 7), end: false, truncated: false } }],
}
const bytes = encodeToAgent(head)
const chunkBytes = encodeToAgent(chunk)

const root = new protobuf.Root()
protobuf.parse(readFileSync(join(import.meta.dirname, '../../../proto/sentinel/agent/v1/agent.proto'), 'utf8'), root)
const other = root.lookupType('sentinel.agent.v1.ToAgent')
const otherHead = other.decode(bytes)

const subjects: Record<string, () => void> = {
  'head, written as a gRPC frame': () => void encodeFrame(writeToAgent, head),
  'head, written by protobufjs': () => void other.encode(otherHead).finish(),
  'head, read': () => void decodeToAgent(bytes),
  'head, read by protobufjs': () => void other.decode(bytes),
  'chunk of 16 KiB, written as a gRPC frame': () => void encodeFrame(writeToAgent, chunk),
  'chunk of 16 KiB, read': () => void decodeToAgent(chunkBytes),
}

for (const [name, run] of Object.entries(subjects)) {
  for (let i = 0; i < 20_000; i++) run()
  let best = Infinity
  for (let round = 0; round < 5; round++) {
    const started = performance.now()
    for (let i = 0; i < 20_000; i++) run()
    best = Math.min(best, (performance.now() - started) / 20_000 * 1e6)
  }
  process.stdout.write(`${name.padEnd(44)} ${Math.round(best)} ns\n`)
}
