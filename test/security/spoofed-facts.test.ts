// Facts about the client come from the proxy and from agents, never from the client.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HeaderList } from '../../proxy/pipeline/headers.ts'
import { rebuildForwarded } from '../../proxy/pipeline/forwarded.ts'
import { exchangeOf } from '../support/exchange.ts'
import { rawClient } from '../support/raw-client.ts'
import { everything, rawAgent } from '../support/raw-agent.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { scriptedAgent, siteWith } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'

test('a client', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, scriptedAgent('scripted'), ['scripted']))
  const forged = async (headers: Record<string, string>): Promise<Record<string, unknown>> => {
    assert.equal((await sentinel.request('/', { headers })).status, 200)
    return upstream.requests.at(-1)!.headers
  }

  for (const name of ['X-Forwarded-User', 'X-Forwarded-Email', 'X-Forwarded-Groups', 'X-Forwarded-Client-Cert', 'X_Forwarded_User', 'X.Forwarded.Preferred.Username']) {
    await t.test(`cannot say ${name}: the whole family of forwarded fields is the proxy's`, async () => {
      const headers = await forged({ [name]: 'admin' })
      assert.equal(Object.keys(headers).some((given) => given === name.toLowerCase()), false)
    })
  }

  await t.test('cannot set the Proxy field, which CGI programs read as the proxy of their own requests', async () => {
    assert.equal((await forged({ Proxy: 'http://evil.test' }))['proxy'], undefined)
  })

  for (const name of ['X-User', 'x-user', 'X_User', 'x.user', 'X_uSeR']) {
    await t.test(`cannot set what an agent sets, spelled ${name}`, async () => {
      const headers = await forged({ [name]: 'admin' })
      assert.deepEqual(Object.keys(headers).filter((given) => given.replace(/[_.]/g, '-') === 'x-user'), [])
    })
  }

  await t.test('cannot take away by Connection what an agent set', async () => {
    assert.equal((await forged({ Connection: 'x-greeting, x-real-ip, host' }))['x-greeting'], 'hello')
    const { headers } = upstream.requests.at(-1)!
    assert.equal(headers['x-real-ip'], '127.0.0.1')
    assert.match(String(headers.host), /^127\.0\.0\.1/)
  })

  await t.test('cannot bring guarded fields in behind the body', async (st) => {
    const client = await rawClient(st, sentinel.port(), 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-User, X-Real-IP\r\n' +
      'Connection: close\r\n\r\n1\r\na\r\n0\r\nX-User: admin\r\nX-Real-IP: 1.1.1.1\r\nX-Forwarded-For: 1.1.1.1\r\nx_user: admin\r\nX-Sum: 1\r\n\r\n')
    assert.match(await client.ended(), /^HTTP\/1\.1 200 /)
    const { headers, rawHeaders, rawTrailers } = upstream.requests.at(-1)!
    assert.deepEqual(rawTrailers, ['X-Sum', '1'])
    assert.equal(headers['x-real-ip'], '127.0.0.1')
    assert.equal(rawHeaders.includes('admin'), false)
  })

  await t.test('cannot make an Expect of its own reach the upstream', async () => {
    const answer = await sentinel.request('/', { headers: { Expect: '200-maybe' } })
    assert.equal(answer.status, 417)
  })
})

test('behind a trusted proxy the fields it states itself are kept, those the proxy rebuilds are not', () => {
  const x = exchangeOf({ address: '10.0.0.1', headers: ['X-Forwarded-User', 'ann', 'X-Forwarded-Prefix', '/evil', 'X-Forwarded-For', '192.0.2.7'] })
  rebuildForwarded(x, (address) => address.startsWith('10.'))
  assert.equal(x.request.headers.get('x-forwarded-user'), 'ann')
  assert.equal(x.request.headers.has('x-forwarded-prefix'), false)
  assert.equal(x.clientIp, '192.0.2.7')
})

for (const text of ['dead', '1.2.3.4.5', '....', '::::', '999.1.1.1', 'fe80::1%eth0', '0x7f.1']) {
  test(`"${text}" behind a trusted proxy never becomes the client's address`, () => {
    const x = exchangeOf({ address: '10.0.0.1', headers: ['X-Forwarded-For', text] })
    rebuildForwarded(x, (address) => address.startsWith('10.'))
    assert.equal(x.clientIp, '10.0.0.1')
    assert.equal(x.request.headers.get('x-forwarded-for'), '10.0.0.1')
  })
}

test('an agent that claims Host as its own field cannot take it from the request', async (t) => {
  const agent = await rawAgent(t, { describe: { ...everything, setsRequestHeaders: ['host', 'X-Role'] } })
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, `agent "raw" { unix-socket "${agent.path}"; timeout "60s" }`, ['raw']))
  assert.equal((await sentinel.request('/', { host: 'shop.test', headers: { x_role: 'admin' } })).status, 200)
  const { headers } = upstream.requests.at(-1)!
  assert.equal(headers.host, 'shop.test')
  assert.equal(new HeaderList(upstream.requests.at(-1)!.rawHeaders.slice()).has('x_role'), false)
})
