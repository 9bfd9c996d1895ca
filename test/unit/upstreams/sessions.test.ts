import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { EndSignal } from '../../../proxy/pipeline/end-signal.ts'
import { Exchange } from '../../../proxy/pipeline/exchange.ts'
import { HeaderList } from '../../../proxy/pipeline/headers.ts'
import { createUpstream, type Target } from '../../../proxy/upstreams/index.ts'
import { Sessions, type StickySettings } from '../../../proxy/upstreams/sessions.ts'

const settings: StickySettings = { cookieName: 'SERVERID', ttlMs: 3_600_000, path: '/', secure: true, sameSite: 'lax', secret: 'a secret of the test', fallback: 'round-robin' }

function targetsOf (...hosts: readonly string[]): readonly Target[] {
  return createUpstream({
    id: 'app', balance: 'round-robin', connectTimeoutMs: 1_000, readTimeoutMs: 1_000, writeTimeoutMs: 1_000, poolMaxConnections: 1, poolIdleMs: 1_000,
    targets: hosts.map((host) => ({ host, port: 80, weight: 1 })),
  }).set.targets
}

function asking (cookie: string): Exchange {
  return new Exchange({
    id: 'x', startedMs: 0, listener: 'web', peer: { address: '192.0.2.1', port: 1, tls: undefined }, requestBody: undefined, ending: new EndSignal(),
    request: { method: 'GET', scheme: 'http', authority: 'a', rawPath: '/', path: '/', upstreamPath: '/', query: '', version: '1.1', headers: new HeaderList(['Cookie', cookie]) },
  })
}

const valueOf = (cookie: string): string => cookie.slice('SERVERID='.length, cookie.indexOf(';'))

describe('a session cookie', () => {
  const targets = targetsOf('a', 'b')
  const clock = { nowMs: Date.UTC(2030, 0, 1) }
  const sessions = new Sessions('app', settings, () => clock.nowMs)
  const of = (value: string, by = sessions, among = targets): string | undefined => by.of(asking(`x=y; SERVERID=${value}`), among)?.target.name

  test('leads back to its target, for everybody who has the secret', () => {
    const value = valueOf(sessions.cookieFor('b:80'))
    assert.equal(of(value), 'b:80')
    assert.equal(of(value, new Sessions('app', settings, () => clock.nowMs)), 'b:80')
    assert.equal(of(value, sessions, targetsOf('b', 'c')), 'b:80')
    assert.equal(of(value, new Sessions('app', { ...settings, secret: 'another secret here' }, () => clock.nowMs)), undefined)
    assert.equal(of(value, new Sessions('other', settings, () => clock.nowMs)), undefined, 'it is for one upstream')
    assert.equal(of(value, sessions, targetsOf('a', 'c')), undefined, 'the target is gone')
    assert.equal(of(value), 'b:80')
  })

  test('has the attributes that the operator declared', () => {
    assert.match(sessions.cookieFor('a:80'), /^SERVERID=[A-Za-z0-9_-]{38}; Path=\/; Max-Age=3600; HttpOnly; Secure; SameSite=Lax$/)
    const other = new Sessions('app', { ...settings, cookieName: 'S', ttlMs: 90_000, path: '/shop', secure: false, sameSite: 'strict' })
    assert.match(other.cookieFor('a:80'), /^S=[A-Za-z0-9_-]{38}; Path=\/shop; Max-Age=90; HttpOnly; SameSite=Strict$/)
  })

  test('that anybody else made, or changed in a single bit, is none', () => {
    const value = valueOf(sessions.cookieFor('a:80'))
    const bytes = Buffer.from(value, 'base64url')
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes)
      changed[bit >> 3]! ^= 1 << (bit & 7)
      assert.equal(of(changed.toString('base64url')), undefined, `bit ${bit}`)
    }
    for (const wrong of ['', 'a', 'x'.repeat(38), value.slice(1), `${value}A`, `${value.slice(0, -1)}=`, '\u00ff'.repeat(38), 'b:80', 'A'.repeat(10_000)]) assert.equal(of(wrong), undefined, wrong)
  })

  test('says nothing about the address, and differs between upstreams and secrets', () => {
    const ids = [sessions, new Sessions('other', settings), new Sessions('app', { ...settings, secret: 'another secret here' })].map((one) => valueOf(one.cookieFor('10.1.2.3:80')).slice(0, 10))
    assert.equal(new Set(ids).size, 3)
    const raw = Buffer.from(valueOf(sessions.cookieFor('10.1.2.3:80')), 'base64url')
    for (const told of [Buffer.from('10.1.2.3'), Buffer.from([10, 1, 2, 3]), Buffer.from([0, 80])]) assert.equal(raw.subarray(0, 8).includes(told), false)
  })

  test('is fresh for half of its time, then is to be renewed, and in the end is none', () => {
    const value = valueOf(sessions.cookieFor('a:80'))
    const freshAt = (minutes: number): boolean | undefined => {
      clock.nowMs += minutes * 60_000
      const session = sessions.of(asking(`SERVERID=${value}`), targets)
      clock.nowMs -= minutes * 60_000
      return session?.fresh
    }
    assert.deepEqual([0, 29, 31, 59, 61, 10_000, -5].map(freshAt), [true, true, false, false, undefined, undefined, true])
  })
})
