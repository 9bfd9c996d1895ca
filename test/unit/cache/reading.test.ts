import assert from 'node:assert/strict'
import { test } from 'node:test'
import { httpDateMs } from '../../../proxy/pipeline/http-date.ts'
import { globMatcher } from '../../../proxy/cache/purge.ts'

test('dates are those of HTTP and no others', () => {
  const at = Date.UTC(1994, 10, 6, 8, 49, 37)
  for (const text of ['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994']) assert.equal(httpDateMs(text), at, text)
  for (const text of [
    '0', '', '-1', 'now', '784111777', 'Sun, 6 Nov 1994 08:49:37 GMT', 'Sun, 06 Nov 1994 08:49:37', 'Sun, 06 Nov 1994 08:49:37 UTC', 'sun, 06 nov 1994 08:49:37 gmt',
    'Sun, 06 Nov 94 08:49:37 GMT', 'Sun, 31 Feb 1994 08:49:37 GMT', 'Sun, 06 Nov 1994 24:00:00 GMT', '1994-11-06T08:49:37Z', ' Sun, 06 Nov 1994 08:49:37 GMT',
  ]) assert.equal(httpDateMs(text), undefined, text)
})

test('patterns of paths: * within a segment, ** over segments, ? for one character', () => {
  const rows: ReadonlyArray<readonly [pattern: string, matching: readonly string[], other: readonly string[]]> = [
    ['/a', ['/a'], ['/a/', '/b', '/aa']],
    ['/a/*', ['/a/', '/a/b'], ['/a', '/a/b/c']],
    ['/*.css', ['/x.css', '/.css'], ['/a/x.css', '/x.cssx']],
    ['/a/**', ['/a', '/a/', '/a/b', '/a/b/c'], ['/ab', '/']],
    ['/**/x', ['/x', '/a/x', '/a/b/x'], ['/ax', '/x/a']],
    ['/a?c', ['/abc'], ['/ac', '/a/c', '/abbc']],
    ['/a.b', ['/a.b'], ['/axb']],
  ]
  for (const [pattern, matching, other] of rows) {
    const matches = globMatcher(pattern)
    for (const path of matching) assert.equal(matches(path), true, `${pattern} ${path}`)
    for (const path of other) assert.equal(matches(path), false, `${pattern} ${path}`)
  }
})

test('a pattern of many stars takes no longer for a path that almost matches', () => {
  const matches = globMatcher(`/${'*a'.repeat(50)}`)
  assert.equal(matches(`/${'a'.repeat(2_000)}b`), false)
})
