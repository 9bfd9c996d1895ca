import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { dnsSource, type DnsSettings } from '../../../../proxy/upstreams/discovery/dns.ts'
import type { Found } from '../../../../proxy/upstreams/discovery/source.ts'
import { dnsServer, type DnsServer } from '../../../support/dns-server.ts'
import { folderWith } from '../../../support/folder.ts'

const never = new AbortController().signal

function sourceOf ({ address }: DnsServer, more: Partial<DnsSettings> = {}) {
  return dnsSource({ hostname: 'app.test', port: 80, isService: false, resolvers: [address], intervalMs: 30_000, timeoutMs: 20_000, ...more })
}

const plain = ({ targets, againMs }: Found): unknown[] => [targets.map(({ host, port, weight, priority }) => `${host} ${port} ${weight} ${priority}`).toSorted(), againMs]

test('all addresses of a name are targets, of both families, for as long as the shortest of them is good', async (t) => {
  const server = await dnsServer(t)
  server.zone.set('app.test', [
    { type: 'A', address: '10.0.0.1', ttl: 20 }, { type: 'A', address: '10.0.0.2', ttl: 20 }, { type: 'AAAA', address: 'fd00::1', ttl: 5 },
  ])
  assert.deepEqual(plain(await sourceOf(server).ask(never)), [['10.0.0.1 80 1 0', '10.0.0.2 80 1 0', 'fd00::1 80 1 0'], 5_000])
  server.zone.set('app.test', [{ type: 'A', address: '10.0.0.1', ttl: 0 }])
  assert.deepEqual(plain(await sourceOf(server).ask(never)), [['10.0.0.1 80 1 0'], 1_000])
  server.zone.set('app.test', [{ type: 'A', address: '10.0.0.1', ttl: 300 }])
  assert.deepEqual(plain(await sourceOf(server).ask(never)), [['10.0.0.1 80 1 0'], undefined])
})

test('SRV records bring ports, weights and priorities; their names are looked up', async (t) => {
  const server = await dnsServer(t)
  server.zone.set('_http._tcp.app.test', [
    { type: 'SRV', target: 'a.test', port: 81, priority: 0, weight: 3, ttl: 10 }, { type: 'SRV', target: 'b.test', port: 82, priority: 5, weight: 0, ttl: 10 },
  ])
  server.zone.set('a.test', [{ type: 'A', address: '10.0.0.1', ttl: 7 }, { type: 'AAAA', address: 'fd00::1', ttl: 9 }])
  server.zone.set('b.test', [{ type: 'A', address: '10.0.0.2', ttl: 8 }])
  const source = sourceOf(server, { hostname: '_http._tcp.app.test', isService: true, port: 0 })
  assert.deepEqual(plain(await source.ask(never)), [['10.0.0.1 81 3 0', '10.0.0.2 82 1 5', 'fd00::1 81 3 0'], 7_000])
  server.zone.set('_http._tcp.app.test', [{ type: 'SRV', target: '.', port: 0, priority: 0, weight: 0, ttl: 10 }])
  assert.deepEqual(plain(await source.ask(never))[0], [])
})

test('no answer is no list, and the message says what was wrong', async (t) => {
  const server = await dnsServer(t)
  const source = sourceOf(server)
  await assert.rejects(source.ask(never), /app\.test: there is no such name/)
  server.zone.set('app.test', [])
  assert.deepEqual(plain(await source.ask(never)), [[], undefined])
  for (const [behaviour, message] of [['servfail', /the DNS server failed/], ['silent', /no DNS server answered in time/], ['garbage', /app\.test: /]] as const) {
    server.behaviour = behaviour
    await assert.rejects((behaviour === 'silent' ? sourceOf(server, { timeoutMs: 300 }) : source).ask(never), message, behaviour)
  }
})

test('while one family fails, what it said last stands beside what the other says', async (t) => {
  const server = await dnsServer(t)
  server.zone.set('app.test', [{ type: 'A', address: '10.0.0.1', ttl: 60 }, { type: 'AAAA', address: 'fd00::1', ttl: 60 }])
  const source = sourceOf(server)
  await source.ask(never)
  server.behaviour = 'servfail-aaaa'
  server.zone.set('app.test', [{ type: 'A', address: '10.0.0.2', ttl: 60 }])
  assert.deepEqual(plain(await source.ask(never))[0], ['10.0.0.2 80 1 0', 'fd00::1 80 1 0'])
})

test('names of this machine count where no resolver is written, and only there', async (t) => {
  const hosts = '127.0.0.1 localhost\n10.9.9.9  other app.test # ours\nfd00::9 App.Test\n'
  const hostsFile = join(folderWith(t, { hosts }), 'hosts')
  const server = await dnsServer(t)
  const ofSystem = dnsSource({ hostname: 'app.test', port: 80, isService: false, resolvers: [], intervalMs: 1, timeoutMs: 20_000, hostsFile })
  assert.deepEqual(plain(await ofSystem.ask(never))[0], ['10.9.9.9 80 1 0', 'fd00::9 80 1 0'])
  await assert.rejects(sourceOf(server, { hostsFile }).ask(never), /no such name/)
})
