import assert from 'node:assert/strict'
import { test } from 'node:test'
import { httpDateMs } from '../../../proxy/pipeline/http-date.ts'
import { Kept } from '../../../proxy/services/static/kept.ts'
import { nameOf } from '../../../proxy/services/static/name-of.ts'
import { readRanges } from '../../../proxy/services/static/ranges.ts'

test('dates are read in all three forms, and nothing else is', () => {
  const wanted = Date.UTC(1994, 10, 6, 8, 49, 37)
  for (const text of ['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994']) assert.equal(httpDateMs(text), wanted, text)
  for (const text of ['', '1994-11-06', 'Sun, 06 Nov 1994 08:49:37', 'Sun, 06 Nov 1994 08:49:37 +0100', 'Sun, 99 Nov 1994 08:49:37 GMT', 'Sun, 06 Nov 1994 08:49:37 GMT ']) assert.equal(httpDateMs(text), undefined, text)
  assert.equal(new Date(httpDateMs('Friday, 01-Jan-26 00:00:00 GMT')!).getUTCFullYear(), 2026)
})

test('ranges', () => {
  const cases: ReadonlyArray<readonly [string, ReadonlyArray<readonly [number, number]> | undefined]> = [
    ['bytes=0-0', [[0, 0]]], ['bytes=9-', [[9, 9]]], ['bytes=-1', [[9, 9]]], ['bytes=-0', []], ['bytes=10-', []], ['bytes=10-20,0-1', [[0, 1]]], ['BYTES = 0-1', [[0, 1]]],
    ['bytes=0-1,,3-4', [[0, 1], [3, 4]]], ['bytes=4-5,0-1', [[4, 5], [0, 1]]], ['bytes=-5,0-5', undefined], ['bytes=0-1,1-2', undefined], ['bytes=1-0', undefined], ['bytes=-', undefined],
    ['bytes=0-1-2', undefined], ['bytes=+1-2', undefined], ['bytes=0x1-2', undefined], ['items=0-1', undefined], ['bytes', undefined], ['bytes=99999999999999999999-', []],
    ['bytes=0-99999999999999999999', [[0, 9]]], ['bytes=-99999999999999999999', [[0, 9]]],
  ]
  for (const [field, wanted] of cases) assert.deepEqual(readRanges(field, 10)?.map(({ first, last }) => [first, last]), wanted, field)
  assert.deepEqual(readRanges('bytes=0-', 0), [])
  assert.deepEqual(readRanges('bytes=-5', 0), [])
})

test('names of files', () => {
  assert.deepEqual(nameOf('/', false), { name: '', folder: true })
  assert.deepEqual(nameOf('/a%20b/c', false), { name: 'a b/c', folder: false })
  assert.deepEqual(nameOf('/a/', false), { name: 'a', folder: true })
  assert.deepEqual(nameOf('/.well-known/x', false), { name: '.well-known/x', folder: false })
  for (const path of ['', '*', 'a', '/a%2fb', '/a%5cb', '/a%00', '/a%0a', '/%ff', '/%', '/%2e%2e/a', '/../a', '/a//b', '/.a', '/a/.b', '/a/.well-known', `/${'a'.repeat(256)}`]) assert.equal(nameOf(path, false), undefined, path)
  assert.deepEqual(nameOf('/.a', true), { name: '.a', folder: false })
  assert.equal(nameOf('/../a', true), undefined)
})

test('what is kept has a bound, and goes by age', () => {
  const kept = new Kept(10_000)
  const found = (bytes: number) => ({ kind: 'listing', content: Buffer.alloc(0), bytes }) as const
  for (let i = 0; i < 20; i++) kept.put(`/${i}`, found(1_000), 0)
  assert.equal(kept.last('/0'), undefined)
  assert.notEqual(kept.last('/19'), undefined)
  const there = Array.from({ length: 20 }, (_, i) => kept.last(`/${i}`)).filter((one) => one !== undefined).length
  assert.equal(there, 4)
  kept.put('/huge', found(20_000), 0)
  assert.equal(kept.last('/huge'), undefined)
  assert.equal(kept.fresh('/19', 1_001), undefined)
})
