import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fromKubeconfig } from '../../../../proxy/upstreams/discovery/cluster.ts'
import { parseSlice, targetsOf } from '../../../../proxy/upstreams/discovery/endpoint-slices.ts'
import { kubernetesSource } from '../../../../proxy/upstreams/discovery/kubernetes.ts'
import { parseYaml } from '../../../../proxy/upstreams/discovery/kubeconfig-yaml.ts'
import { serverCertificate, serverKey } from '../../../golden/certificates.ts'
import { apiServer } from '../../../support/api-server.ts'
import { folderWith } from '../../../support/folder.ts'

const never = new AbortController().signal
const endpoint = (address: string, more: object = {}) => ({ addresses: [address], conditions: { ready: true, serving: true, terminating: false }, ...more })
const slice = (name: string, endpoints: readonly object[], more: object = {}) => ({
  metadata: { name, resourceVersion: '10' }, addressType: 'IPv4', ports: [{ name: 'http', port: 8080, protocol: 'TCP' }], endpoints, ...more,
})

test('endpoints are targets when they are ready; when none is, those that are ending and answer still', () => {
  const plain = (items: readonly object[], port?: string) => targetsOf(items.map(parseSlice), port).map(({ host, port: at, zone }) => [host, at, zone])
  const ending = endpoint('10.0.0.3', { conditions: { ready: false, serving: true, terminating: true } })
  const gone = endpoint('10.0.0.4', { conditions: { ready: false, serving: false, terminating: true } })
  const one = endpoint('10.0.0.1', { zone: 'eu-1', hints: { forZones: [{ name: 'eu-2' }] } })
  assert.deepEqual(plain([slice('a', [one, ending, gone, endpoint('10.0.0.2', { conditions: {}, zone: 'eu-1' })])]), [['10.0.0.1', 8080, 'eu-2'], ['10.0.0.2', 8080, 'eu-1']])
  assert.deepEqual(plain([slice('a', [ending, gone])]), [['10.0.0.3', 8080, undefined]])
  assert.deepEqual(plain([slice('a', [endpoint('10.0.0.1')]), slice('b', [endpoint('10.0.0.1')]), slice('c', [endpoint('fd00::1')], { addressType: 'IPv6' })]), [
    ['10.0.0.1', 8080, undefined], ['fd00::1', 8080, undefined],
  ])
  const two = slice('a', [endpoint('10.0.0.1')], { ports: [{ name: 'http', port: 80, protocol: 'TCP' }, { name: 'admin', port: 81, protocol: 'TCP' }, { name: 'dns', port: 53, protocol: 'UDP' }] })
  assert.deepEqual(plain([two], 'admin'), [['10.0.0.1', 81, undefined]])
  assert.throws(() => plain([two]), /2 TCP ports: 'port-name' must say which: 'http', 'admin'/)
  assert.throws(() => plain([two], 'x'), /no TCP port 'x'/)
  assert.throws(() => parseSlice({ addressType: 'Magic' }), /of a type/)
})

interface Cluster {
  readonly ask: () => Promise<string[]>
  readonly requests: ReadonlyArray<{ readonly url: URL, readonly headers: IncomingHttpHeaders }>
  readonly watching: ServerResponse[]
  readonly token: (token: string) => void
  readonly answer: { list: (url: URL, response: ServerResponse) => void }
}

/** A cluster as a pod sees it: over HTTPS, with the token and the authority of its service account. */
async function cluster (t: TestContext): Promise<Cluster> {
  const watching: ServerResponse[] = []
  const answer: Cluster['answer'] = { list: (_url, response) => response.end(JSON.stringify({ metadata: { resourceVersion: '10' }, items: [slice('a', [endpoint('10.0.0.1')])] })) }
  const server = await apiServer(t, (url, response) => {
    if (url.searchParams.get('watch') !== '1') return answer.list(url, response)
    response.writeHead(200).flushHeaders()
    watching.push(response)
  }, { tls: { key: serverKey, cert: serverCertificate } })
  const serviceAccount = folderWith(t, { token: 'first\n', 'ca.crt': serverCertificate })
  const source = kubernetesSource({
    namespace: 'default', service: 'api', intervalMs: 10_000, timeoutMs: 60_000, serviceAccount,
    env: { KUBERNETES_SERVICE_HOST: 'localhost', KUBERNETES_SERVICE_PORT: String(server.port) },
  })
  return {
    ask: async () => (await source.ask(never)).targets.map(({ host }) => host), requests: server.requests, watching, answer,
    token: (token) => writeFileSync(join(serviceAccount, 'token'), token),
  }
}

async function watched (given: Cluster, n: number, ...events: readonly object[]): Promise<string[]> {
  const asked = given.ask()
  while (given.watching.length < n) await new Promise((resolve) => { setTimeout(resolve, 2) })
  for (const event of events) given.watching[n - 1]!.write(JSON.stringify(event) + '\n')
  return asked
}

test('slices are listed once and then watched from there, with the token of the moment', async (t) => {
  const given = await cluster(t)
  assert.deepEqual(await given.ask(), ['10.0.0.1'])
  given.token('second')
  const bookmark = { type: 'BOOKMARK', object: { metadata: { resourceVersion: '20' } } }
  assert.deepEqual(await watched(given, 1, bookmark, { type: 'ADDED', object: { ...slice('b', [endpoint('10.0.0.2')]), metadata: { name: 'b', resourceVersion: '21' } } }), ['10.0.0.1', '10.0.0.2'])
  assert.deepEqual(await watched(given, 2, { type: 'DELETED', object: { metadata: { name: 'a', resourceVersion: '22' } } }), ['10.0.0.2'])
  assert.deepEqual(given.requests.map(({ url }) => url.searchParams.get('resourceVersion')), [null, '10', '21'])
  assert.deepEqual(given.requests.map(({ headers }) => headers.authorization), ['Bearer first', 'Bearer second', 'Bearer second'])
  assert.equal(given.requests[0]?.url.pathname, '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices')
  assert.equal(given.requests[0]?.url.searchParams.get('labelSelector'), 'kubernetes.io/service-name=api')
})

test('a watch that begins too long ago makes everything be listed anew, and one that breaks as well', async (t) => {
  const given = await cluster(t)
  await given.ask()
  given.answer.list = (_url, response) => response.end(JSON.stringify({ metadata: { resourceVersion: '90' }, items: [slice('z', [endpoint('10.0.0.9')])] }))
  assert.deepEqual(await watched(given, 1, { type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } }), ['10.0.0.9'])
  const broken = given.ask()
  while (given.watching.length < 2) await new Promise((resolve) => { setTimeout(resolve, 2) })
  given.watching[1]!.destroy()
  await assert.rejects(broken, /connection broke|aborted/)
  assert.deepEqual(await given.ask(), ['10.0.0.9'])
  assert.equal(given.requests.at(-1)?.url.searchParams.has('watch'), false)
})

test('lists come in pages, and what is no list is none', async (t) => {
  const given = await cluster(t)
  given.answer.list = (url, response) => {
    const page = url.searchParams.get('continue') ?? '0'
    response.end(JSON.stringify({ metadata: { resourceVersion: '1', continue: page === '2' ? '' : String(Number(page) + 1) }, items: [slice(`s${page}`, [endpoint(`10.0.0.${page}`)])] }))
  }
  assert.deepEqual(await given.ask(), ['10.0.0.0', '10.0.0.1', '10.0.0.2'])
  const other = await cluster(t)
  for (const [list, message] of [[(response: ServerResponse) => response.writeHead(403).end('{}'), /status 403/], [(response: ServerResponse) => response.end('{}'), /not a list/]] as const) {
    other.answer.list = (_url, response) => list(response)
    await assert.rejects(other.ask(), message)
  }
})

const kubeconfig = `apiVersion: v1
kind: Config
current-context: dev # the one in use
clusters:
- name: "dev"
  cluster:
    server: https://[::1]:6443
    certificate-authority-data: ${Buffer.from('CA').toString('base64')}
contexts:
  - context:
      cluster: dev
      user: 'me'
    name: dev
preferences: {}
users:
- name: me
  user:
    token: abc#def
`

test('a kubeconfig gives the address and credentials of its current context, or says what it lacks', () => {
  const api = fromKubeconfig(parseYaml(kubeconfig), '/')
  assert.deepEqual([api.host, api.port, api.headers, String(api.tls?.ca)], ['::1', 6443, { Authorization: 'Bearer abc#def' }, 'CA'])
  assert.deepEqual(parseYaml(JSON.stringify({ a: [1] })), { a: [1] })
  assert.throws(() => fromKubeconfig(parseYaml(kubeconfig.replace('token: abc#def', 'exec:\n      command: aws')), '/'), /'exec' for its user, which is not supported/)
  assert.throws(() => fromKubeconfig(parseYaml(kubeconfig.replace('current-context: dev', 'current-context: prod')), '/'), /no context of the name/)
  assert.throws(() => fromKubeconfig({}, '/'), /no current-context/)
  for (const text of ['a: &x 1', 'a: |\n  b', 'a: 1\na: 2', 'a: b: c', '\ta: 1', 'a: "x', '- a\nb: 1', '{ "a": ']) assert.throws(() => parseYaml(text), /no YAML that is understood/, text)
})
