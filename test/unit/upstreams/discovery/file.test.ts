import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DiscoveryError } from '../../../../proxy/upstreams/discovery/source.ts'
import { parseTargetFile } from '../../../../proxy/upstreams/discovery/target-file.ts'

const plain = (text: string): unknown[] => parseTargetFile(text).map(({ host, port, weight, zone, priority }) => [host, port, weight, zone, priority])

test('a file of targets has one on each line, with facts behind, or is a JSON array', () => {
  assert.deepEqual(plain('# ours\n10.0.0.1:80 # first\n\n[::1]:81 weight=3 zone=eu-1\r\nhost.internal:82   priority=2\n'), [
    ['10.0.0.1', 80, 1, undefined, 0], ['::1', 81, 3, 'eu-1', 0], ['host.internal', 82, 1, undefined, 2],
  ])
  assert.deepEqual(plain('[::1]:81\n'), [['::1', 81, 1, undefined, 0]])
  assert.deepEqual(plain(' [ "10.0.0.1:80", { "address": "[::1]:81", "weight": 3, "zone": "eu-1" }, { "host": "a", "port": 5, "metadata": { "x": "y" } } ]'), [
    ['10.0.0.1', 80, 1, undefined, 0], ['::1', 81, 3, 'eu-1', 0], ['a', 5, 1, undefined, 0],
  ])
  assert.deepEqual(plain(''), [])
})

test('a file of which a line makes no sense is none', () => {
  for (const [text, message] of [
    ['10.0.0.1:80\n10.0.0', /^line 2: "10\.0\.0" is no host:port/], ['a:1 weight=x', /line 1: "weight=x"/], ['a:1 wieght=1', /wieght/], ['::1:80', /host:port/],
    ['[ "a:1", ', /not whole/], ['[ 5 ]', /entry 1/], ['[ { "address": "a:1", "wieght": 1 } ]', /wieght/], ['a:1 weight=-1', /weight/],
  ] as const) assert.throws(() => parseTargetFile(text), (error) => error instanceof DiscoveryError && message.test(error.message), text)
})
