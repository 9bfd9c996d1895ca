import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ChosenVersion } from '../../../proxy/upstreams/chosen-version.ts'

test('what a target chose is believed until something speaks against it', () => {
  const version = new ChosenVersion('unknown')
  assert.equal(version.now, 'unknown')
  version.learn('http/1.1')
  assert.equal(version.now, 'http/1.1')
  version.doubt()
  assert.equal(version.now, 'unknown')
  version.learn('h2')
  assert.equal(version.now, 'h2')
})

test('where there is no choice nothing changes it', () => {
  for (const only of ['h2', 'http/1.1'] as const) {
    const version = new ChosenVersion(only)
    version.doubt()
    version.learn(only === 'h2' ? 'http/1.1' : 'h2')
    assert.equal(version.now, only)
  }
})
