import assert from 'node:assert/strict'
import test from 'node:test'
import { propagatorOf, type Propagation } from '../../../proxy/observe/telemetry/context.ts'
import { newSpanId, newTraceId, samplerOf } from '../../../proxy/observe/telemetry/ids.ts'
import { HeaderList } from '../../../proxy/pipeline/headers.ts'
import { processorMs } from '../../support/processor-time.ts'

const id = '0af7651916cd43dd8448eb211c80319c'
const span = 'b7ad6b7169203331'

function read (forms: readonly Propagation[], ...fields: string[]) {
  return propagatorOf(forms).extract(new HeaderList(fields))
}

test('each form is read as it is written', () => {
  for (const form of ['w3c', 'b3', 'b3multi', 'jaeger'] as const) {
    for (const sampled of [true, false]) {
      const headers = new HeaderList()
      const carried = { traceId: newTraceId(), spanId: newSpanId(), sampled }
      propagatorOf([form]).inject(headers, carried)
      assert.deepEqual(propagatorOf([form]).extract(headers), carried, form)
    }
  }
})

test('of several forms the first that says something counts', () => {
  const b3 = ['b3', `${'1'.repeat(32)}-${span}-0`]
  const w3c = ['traceparent', `00-${id}-${span}-01`]
  assert.equal(read(['w3c', 'b3'], ...b3, ...w3c)?.traceId, id)
  assert.equal(read(['b3', 'w3c'], ...b3, ...w3c)?.traceId, '1'.repeat(32))
  assert.equal(read(['b3', 'w3c'], ...w3c)?.traceId, id)
})

test('a decision that nobody made is left to us', () => {
  assert.equal(read(['b3'], 'b3', `${id}-${span}`)?.sampled, undefined)
  assert.equal(read(['b3multi'], 'X-B3-TraceId', id, 'X-B3-SpanId', span)?.sampled, undefined)
  assert.equal(read(['b3multi'], 'X-B3-TraceId', id, 'X-B3-SpanId', span, 'X-B3-Flags', '1')?.sampled, true)
  // Only the lowest bit says something (section 3.2.2.5).
  assert.equal(read(['w3c'], 'traceparent', `00-${id}-${span}-ff`)?.sampled, true)
  assert.equal(read(['w3c'], 'traceparent', `00-${id}-${span}-fe`)?.sampled, false)
})

test('a tracestate is passed on or not at all', () => {
  const state = (...lines: string[]): string[] => {
    const headers = new HeaderList(['traceparent', `00-${id}-${span}-01`, ...lines.flatMap((line) => ['tracestate', line])])
    propagatorOf(['w3c']).extract(headers)
    return headers.getAll('tracestate')
  }
  for (const good of ['a=1', 'a=1,b=2', 'tenant@vendor=x y!', ' a=1 , b=2 ', 'a=1,,b=2', '0a@b=1', `${'a'.repeat(256)}=${'b'.repeat(256)}`]) assert.deepEqual(state(good), [good])
  assert.deepEqual(state('a=1', 'b=2'), ['a=1', 'b=2'])
  for (const bad of ['a', 'A=1', 'a=1,a=2', 'a=b=c', 'a=', `${'a'.repeat(257)}=1`, 'a=\u00ff', 'a =1', '@b=1', Array.from({ length: 33 }, (_, i) => `k${i}=1`).join(',')]) {
    assert.deepEqual(state(bad), [], bad)
  }
})

test('nothing that clients send makes reading take long, and nothing but an id is ever carried', () => {
  const bytes = ['0', 'f', '-', ':', ',', '=', ' ', 'g', '\u00ff', '%3a', id, span, '00', 'a=1']
  let seed = 7
  const next = (): number => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31)
  for (let i = 0; i < 20_000; i++) {
    const value = Array.from({ length: next() % 12 }, () => bytes[next() % bytes.length]!).join('')
    for (const [form, name] of [['w3c', 'traceparent'], ['b3', 'b3'], ['b3multi', 'x-b3-traceid'], ['jaeger', 'uber-trace-id']] as const) {
      const caller = read([form], name, value, 'x-b3-spanid', span)
      if (caller === undefined) continue
      assert.match(caller.traceId, /^(?!0{32})[0-9a-f]{32}$/)
      assert.match(caller.spanId, /^(?!0{16})[0-9a-f]{16}$/)
    }
  }
  const ms = processorMs(() => {
    for (const long of ['a=1,'.repeat(16_000), `a=${' '.repeat(60_000)}`, ','.repeat(64_000)]) read(['w3c'], 'traceparent', `00-${id}-${span}-01`, 'tracestate', long)
  })
  assert.ok(ms < 10_000, `${ms} ms`)
})

test('whether a trace is sampled depends on its id alone, and as many are as were asked for', () => {
  const ids = Array.from({ length: 20_000 }, newTraceId)
  for (const share of [0, 0.01, 0.25, 0.9, 1]) {
    const isSampled = samplerOf(share)
    const sampled = ids.filter(isSampled)
    assert.ok(Math.abs(sampled.length / ids.length - share) < 0.02, `${sampled.length} at ${share}`)
    assert.deepEqual(ids.filter(samplerOf(share)), sampled)
    // Who samples more samples all of these as well.
    assert.ok(sampled.every(samplerOf(Math.min(1, share + 0.1))))
  }
  assert.equal(samplerOf(0.5)(`${'0'.repeat(18)}80000000000000`), true)
  assert.equal(samplerOf(0.5)(`${'f'.repeat(18)}7fffffffffffff`), false)
})
