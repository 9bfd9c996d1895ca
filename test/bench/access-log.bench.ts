import { factOf } from '../../proxy/filters/index.ts'
import { accessLog, type AccessLogOptions } from '../../proxy/observe/access-log.ts'
import { auditLog } from '../../proxy/observe/audit-log.ts'
import { errorLog } from '../../proxy/observe/error-log.ts'
import { Tails } from '../../proxy/observe/tail.ts'
import { jsonLine, combinedLine, commonLine } from '../../proxy/observe/access-line.ts'
import { GENESIS, seal } from '../../proxy/evidence/chain.ts'
import { receipt } from '../../proxy/evidence/receipt.ts'
import { createMetrics } from '../../proxy/observe/metrics.ts'
import type { Exchange } from '../../proxy/pipeline/exchange.ts'
import { HeaderList } from '../../proxy/pipeline/headers.ts'
import { decided, decisionOf } from '../support/decision.ts'
import { exchangeOf } from '../support/exchange.ts'

/** What watching costs: nanoseconds per exchange for an access log line, the metrics, and (per decision) a receipt. */

const userAgent = 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0'

function finished (x: Exchange): Exchange {
  x.request.headers.set('User-Agent', userAgent)
  x.reply = { status: 200, headers: new HeaderList(), body: undefined }
  return Object.assign(x, { requestBytes: 0, responseBytes: 1234, durationMs: 1.234, upstream: 'shop', target: '127.0.0.1:9000', tries: 1, upstreamMs: 0.9 })
}

const plain = finished(exchangeOf({ target: '/products/42?page=2&sort=price' }))
const guarded = finished(decided('/products/42?page=2', decisionOf({ verdict: 'allow', status: 0, audit: undefined }), decisionOf()))
const metrics = createMetrics({ version: 'bench' })
const facts: unknown = JSON.parse(jsonLine(plain, Date.now(), []))
let head = GENESIS

const combined = [
  { variable: 'client.ip' }, ' - - [', { variable: 'log.time-common' }, '] "', { variable: 'request.method' }, ' ', { variable: 'request.uri' }, ' ', { variable: 'request.protocol' },
  '" ', { variable: 'response.status' }, ' ', { variable: 'response.bytes' }, ' "', { variable: 'request.header.referer' }, '" "', { variable: 'request.header.user-agent' }, '"',
]
const recorded = (options: AccessLogOptions): () => void => {
  const record = accessLog(options, () => {})
  return () => record(plain)
}
const audit = auditLog({ logBlocked: true, logAgentDecisions: true, logWafEvents: true, events: [], firewalls: new Set() }, () => {})
const errors = errorLog('warn', () => {})
const tails = new Tails(() => {})

const subjects: Record<string, () => void> = {
  'access line, json': () => void jsonLine(plain, Date.now(), []),
  'access line, json, two agents': () => void jsonLine(guarded, Date.now(), []),
  'access line, combined': () => void combinedLine(plain, Date.now()),
  'access line, common': () => void commonLine(plain, Date.now()),
  'access line, custom, as combined': recorded({ format: 'custom', template: combined, factOf }),
  'access line, eight fields': recorded({ format: 'json', fields: ['ts', 'request_id', 'client_ip', 'method', 'path', 'status', 'duration_ms', 'route'] }),
  'access line, json, one of a hundred': recorded({ format: 'json', sampleRate: 0.01 }),
  'audit log, of a plain exchange': () => audit.observe(plain),
  'error log, of a plain exchange': () => errors.observe(plain),
  'tail, while nobody looks on': () => { if (tails.active) tails.observe(plain) },
  'JSON.stringify of the same facts': () => void JSON.stringify(facts),
  'metrics of an exchange': () => metrics.observeExchange(plain),
  'metrics of an exchange with two decisions': () => metrics.observeExchange(guarded),
  'receipt, sealed': () => { head = seal(receipt(guarded, guarded.decisions![1]!, 1, { deployment: 'bench', time: '2026-01-01T00:00:00.000Z' }), head).head },
}

for (const [name, run] of Object.entries(subjects)) {
  for (let i = 0; i < 20_000; i++) run()
  let best = Infinity
  for (let round = 0; round < 5; round++) {
    const started = performance.now()
    for (let i = 0; i < 50_000; i++) run()
    best = Math.min(best, (performance.now() - started) / 50_000 * 1e6)
  }
  process.stdout.write(`${name.padEnd(44)} ${Math.round(best)} ns\n`)
}
metrics.close()
