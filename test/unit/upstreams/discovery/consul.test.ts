import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import { consulSource, type ConsulSettings } from '../../../../proxy/upstreams/discovery/consul.ts'
import { parseHealthyInstances } from '../../../../proxy/upstreams/discovery/consul-instances.ts'
import { apiServer } from '../../../support/api-server.ts'

const never = new AbortController().signal

const instance = (port: number, more: object = {}, statuses: readonly string[] = ['passing']) => ({
  Node: { Node: 'n1', Address: '10.0.0.9', Datacenter: 'dc1' },
  Service: { ID: `api-${port}`, Service: 'api', Address: '10.0.0.1', Port: port, Tags: ['v2'], Meta: { version: '2' }, Weights: { Passing: 3, Warning: 1 }, ...more },
  Checks: statuses.map((Status) => ({ CheckID: 'x', Status })),
})

const settingsOf = (port: number, more: Partial<ConsulSettings> = {}): ConsulSettings => (
  { host: '127.0.0.1', port, secure: false, service: 'api', onlyPassing: true, intervalMs: 10_000, timeoutMs: 60_000, ...more }
)

test('instances of Consul become targets by address, weight and what their checks say', () => {
  const json = [
    instance(80), instance(81, { Address: '' }), instance(82, { Address: 'fd00::1', Weights: undefined, Locality: { Zone: 'eu-1' } }),
    instance(83, {}, ['passing', 'warning']), instance(84, {}, ['critical']),
  ]
  const plain = (onlyPassing: boolean) => parseHealthyInstances(json, onlyPassing).targets.map(({ host, port, weight, zone }) => [host, port, weight, zone])
  assert.deepEqual(plain(true), [['10.0.0.1', 80, 3, undefined], ['10.0.0.9', 81, 3, undefined], ['fd00::1', 82, 1, 'eu-1']])
  assert.deepEqual(plain(false).at(-1), ['10.0.0.1', 83, 1, undefined])
  assert.deepEqual(parseHealthyInstances([instance(80)], true).targets[0]?.metadata, { version: '2', node: 'n1' })
  // A service may be registered without a port: it is left out, unless there is nothing else.
  assert.match(parseHealthyInstances([instance(80), instance(0)], true).problems.join(), /"0" is no port/)
  assert.throws(() => parseHealthyInstances([instance(0)], true), /is no port/)
  assert.throws(() => parseHealthyInstances({ a: 1 }, true), /not a list/)
})

test('Consul is asked once, and then for what comes after the last answer; an index that went back begins anew', async (t) => {
  const waiting: ServerResponse[] = []
  let index = 7
  const send = (response: ServerResponse, port: number): void => void response.writeHead(200, { 'X-Consul-Index': String(index) }).end(JSON.stringify([instance(port)]))
  const server = await apiServer(t, (url, response) => {
    if (url.searchParams.get('index') === String(index)) waiting.push(response)
    else send(response, 80)
  })
  const source = consulSource(settingsOf(server.port, { datacenter: 'eu', tag: 'v2', token: 'very secret' }))
  assert.deepEqual((await source.ask(never)).targets.map(({ port }) => port), [80])
  const second = source.ask(never)
  while (waiting.length === 0) await new Promise((resolve) => { setTimeout(resolve, 2) })
  index = 3
  send(waiting[0]!, 81)
  assert.deepEqual((await second).targets.map(({ port }) => port), [81])
  await source.ask(never)
  assert.deepEqual(server.requests.map(({ url }) => url.pathname + url.search), [
    '/v1/health/service/api?passing=1&dc=eu&tag=v2', '/v1/health/service/api?passing=1&dc=eu&tag=v2&index=7&wait=10s', '/v1/health/service/api?passing=1&dc=eu&tag=v2',
  ])
  assert.ok(server.requests.every(({ headers }) => headers['x-consul-token'] === 'very secret'))
})

test('what Consul says wrongly, never, or without end is no answer, and the token is in no message', async (t) => {
  let answer: (response: ServerResponse) => void = () => {}
  const server = await apiServer(t, (_url, response) => answer(response))
  const cases: ReadonlyArray<readonly [(response: ServerResponse) => void, RegExp, number?]> = [
    [(response) => response.writeHead(403).end('ACL not found'), /status 403: the credentials/], [(response) => response.writeHead(302, { Location: '/' }).end(), /status 302/],
    [(response) => response.end('<html>'), /not JSON/], [(response) => response.destroy(), /the connection broke/], [() => {}, /abort/, 200],
    [(response) => { response.write('[' + ' '.repeat(17 * 1024 * 1024)) }, /larger than/],
  ]
  for (const [next, message, timeoutMs = 60_000] of cases) {
    answer = next
    const source = consulSource(settingsOf(server.port, { token: 'very secret', timeoutMs }))
    await assert.rejects(source.ask(never), (error: Error) => message.test(error.message) && !error.message.includes('secret'), String(message))
  }
})
