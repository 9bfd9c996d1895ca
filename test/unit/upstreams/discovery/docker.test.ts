import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'
import { dockerSource } from '../../../../proxy/upstreams/discovery/docker.ts'
import { parseContainers } from '../../../../proxy/upstreams/discovery/docker-containers.ts'
import { apiServer } from '../../../support/api-server.ts'
import { folderWith } from '../../../support/folder.ts'

const container = (name: string, address: string, labels: object = {}, more: object = {}) => ({
  Id: '8dfafdbc3a40', Names: [`/${name}`], Image: 'app', State: 'running', Status: 'Up 3 minutes (healthy)', Labels: { 'sentinel.enable': 'true', ...labels },
  Ports: [{ PrivatePort: 8080, Type: 'tcp' }], NetworkSettings: { Networks: { app_default: { IPAddress: address, GlobalIPv6Address: '' } } }, ...more,
})

test('containers become targets by their labels, and only those that want to', () => {
  const { targets, problems } = parseContainers([
    container('a', '172.18.0.2'), container('b', '172.18.0.3', { 'sentinel.port': '81', 'sentinel.weight': '3', 'sentinel.zone': 'eu' }),
    container('c', '172.18.0.4', { 'sentinel.enable': 'false' }), container('d', '172.18.0.5', {}, { Status: 'Up 3 minutes (unhealthy)' }),
    container('e', '172.18.0.6', {}, { State: 'paused' }), container('f', '', {}, {}), container('g', '172.18.0.7', {}, { Ports: [] }),
    container('h', '172.18.0.8', { 'sentinel.port': '81x' }), container('i', '', {}, { NetworkSettings: { Networks: { app_default: { IPAddress: '', GlobalIPv6Address: 'fd00::2' } } } }),
  ], {})
  assert.deepEqual(targets.map(({ host, port, weight, zone }) => [host, port, weight, zone]), [
    ['172.18.0.2', 8080, 1, undefined], ['172.18.0.3', 81, 3, 'eu'], ['fd00::2', 8080, 1, undefined],
  ])
  assert.deepEqual(problems.map((problem) => problem.slice(0, 40)), ['container "f" has no address', 'container "g" has 0 ports: the label sen', '"81x" is no port (172.18.0.8)'])
})

test('containers are chosen by service, and their addresses by network', () => {
  const both = { NetworkSettings: { Networks: { app_back: { IPAddress: '10.1.0.2' }, app_front: { IPAddress: '10.2.0.2' } } } }
  const list = [
    container('a', '', { 'com.docker.compose.service': 'web' }, both), container('b', '172.18.0.3', { 'sentinel.service': 'web', 'com.docker.compose.service': 'other', 'sentinel.network': 'app_default' }),
    container('c', '172.18.0.4', { 'com.docker.compose.service': 'db' }),
  ]
  assert.deepEqual(parseContainers(list, { service: 'web', network: 'front' }).targets.map(({ host }) => host), ['10.2.0.2', '172.18.0.3'])
  assert.match(parseContainers(list, { service: 'web' }).problems.join(), /"a" is in several networks/)
})

test('Docker is asked for the list over its socket, and again after each event', async (t) => {
  const path = join(folderWith(t), 'docker.sock')
  const followers: ServerResponse[] = []
  const server = await apiServer(t, (url, response) => {
    if (url.pathname === '/containers/json') response.end(JSON.stringify([container('a', '172.18.0.2')]))
    else if (url.pathname === '/events') {
      response.writeHead(200, { 'Content-Type': 'application/json' }).flushHeaders()
      followers.push(response)
    } else response.writeHead(404).end()
  }, { path })
  const source = dockerSource({ host: '', port: 0, socketPath: path, secure: false, timeoutMs: 60_000 })
  assert.deepEqual((await source.ask(new AbortController().signal)).targets.map(({ host }) => host), ['172.18.0.2'])
  let changes = 0
  const stop = source.watch!(() => { changes++ })
  const until = async (holds: () => boolean): Promise<void> => { while (!holds()) await new Promise((resolve) => { setTimeout(resolve, 2) }) }
  await until(() => followers.length === 1)
  // In pieces, as they come over a network.
  followers[0]!.write('{"Type":"container","Act')
  await new Promise((resolve) => { setTimeout(resolve, 20) })
  assert.equal(changes, 0)
  followers[0]!.write('ion":"start","Actor":{"ID":"8d"}}\n{"Type":"container","Action":"die"}\n')
  await until(() => changes === 2)
  // What happened while nobody listened may be anything.
  server.cut()
  await until(() => changes === 3 && followers.length === 2)
  stop()
  assert.deepEqual([...new Set(server.requests.map(({ url }) => url.pathname))].toSorted(), ['/containers/json', '/events'])
})
