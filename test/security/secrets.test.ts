// Whoever reads logs, metrics, the start screen or the status page learns what happened, and no secret.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { request } from '../support/request.ts'
import { rawClient } from '../support/raw-client.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { rawAgent } from '../support/raw-agent.ts'
import { scripted, scriptedAgent, siteWith } from '../support/scripted-agent.ts'
import { startSentinel, type RunningSentinel } from '../support/sentinel.ts'

const secret = 'Zx9-hush-hush-4711'

/** Everything the proxy has said so far. */
async function everythingSaid (sentinel: RunningSentinel): Promise<string> {
  const status = await request(sentinel.metricsPort(), '/status')
  return [sentinel.screen(), await sentinel.metrics(), status.text, ...sentinel.log.map((line) => JSON.stringify(line)), ...sentinel.access.map((line) => JSON.stringify(line))].join('\n')
}

test('secrets', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const kdl = siteWith(upstream.port, scriptedAgent('scripted', `config { greeting "\${HUSH}" }`), ['scripted'])
  const sentinel = await startSentinel(t, kdl, { env: { HUSH: secret, OTHER_HUSH: secret } })

  await t.test('in the configuration reach the agent they are for and nobody else', async () => {
    assert.equal((await sentinel.get('/')).status, 200)
    assert.equal(upstream.requests.at(-1)!.headers['x-greeting'], secret)
    assert.equal((await everythingSaid(sentinel)).includes(secret), false)
  })

  await t.test('in queries, credentials and cookies stay out of everything that is written', async () => {
    await sentinel.request(`/a?token=${secret}&x=1`, { headers: { Authorization: `Bearer ${secret}`, Cookie: `sid=${secret}`, 'Proxy-Authorization': `Basic ${secret}`, Referer: `http://u:${secret}@a/?access_token=${secret}` } })
    await sentinel.request(`/b?%74oken=${secret}&user[password]=${secret};code=${secret}`)
    await sentinel.accessed(({ path }) => path === '/b')
    assert.equal((await everythingSaid(sentinel)).includes(secret), false)
  })

  await t.test('in the environment of the proxy are not in that of an agent', () => {
    const { scripted: pid } = sentinel.agentPids()
    const environment = readFileSync(`/proc/${pid}/environ`, 'latin1')
    assert.equal(environment.includes(secret), false)
    assert.equal(readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(secret), false)
  })

  await t.test('in a file that a reload refuses are not told with the reason', async () => {
    const record = await sentinel.reload(kdl.replace('greeting', 'greetin').replace('path-prefix "/"', `path-prefix "/"; wrong "\${HUSH}"`))
    assert.equal(record.event, 'reload-failed')
    assert.equal((await everythingSaid(sentinel)).includes(secret), false)
  })

  await t.test('in an error of an agent do not reach the client', async () => {
    const answer = await sentinel.request('/', { headers: scripted({ request: { do: 'throw' } }) })
    assert.equal(answer.status, 503)
    assert.doesNotMatch(answer.text, /script|throw|agent_error|scripted/)
  })

  await t.test('in the path of an answer the proxy makes itself are not shown back', async () => {
    const answer = await sentinel.request(`/%3Cscript%3E${secret}`, { headers: { ...scripted({ request: { do: 'throw' } }), Accept: 'text/html' } })
    assert.equal(answer.text.includes(secret), false)
    assert.doesNotMatch(answer.text, /<script/)
  })
})

test('a credential in the reason an agent gives for failing is taken out of the log', async (t) => {
  const agent = await rawAgent(t)
  agent.script.onEvent = (event, wire) => {
    if (event.timeoutMs > 0) wire.reply(event, { kind: 'error', value: { code: 'bad', message: `cannot verify Bearer ${secret} of ?token=${secret}`, retryable: false } })
  }
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, `agent "raw" { unix-socket "${agent.path}"; timeout "60s" }`, ['raw']))
  assert.equal((await sentinel.get('/fails')).status, 503)
  await sentinel.accessed(({ path }) => path === '/fails')
  assert.equal((await everythingSaid(sentinel)).includes(secret), false)
})

test('log lines', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, '', []))
  const forged = '{"request_id":"forged","status":200}'
  const inputs: Readonly<Record<string, string>> = {
    'by a user agent with quotes and brackets': `GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: x"}\\n${forged}\r\nConnection: close\r\n\r\n`,
    'by UTF-8 line separators in a field': `GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: x\xe2\x80\xa8${forged}\xc2\x85${forged}\r\nConnection: close\r\n\r\n`,
    'by a terminal escape in a field': `GET / HTTP/1.1\r\nHost: a\r\nReferer: \xc2\x9b2J${forged}\r\nConnection: close\r\n\r\n`,
    'by an expectation': `GET / HTTP/1.1\r\nHost: a\r\nExpect: x"}${forged}\r\nConnection: close\r\n\r\n`,
    'by an encoded line break in the path': `GET /%0d%0a${encodeURIComponent(forged)} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
  }
  let raw = ''
  sentinel.process.stdout!.on('data', (data: Buffer) => { raw += data.toString('latin1') })
  for (const [how, bytes] of Object.entries(inputs)) {
    await t.test(`cannot be forged ${how}`, async (st) => {
      const before = sentinel.access.length
      await (await rawClient(st, sentinel.port(), bytes)).ended()
      await sentinel.get('/after')
      while (sentinel.access.length === before) await new Promise((next) => setTimeout(next, 10))
      assert.equal(sentinel.access.some((line) => line.request_id === 'forged'), false)
      assert.equal(sentinel.log.some((line) => line['request_id'] === 'forged'), false)
      assert.doesNotMatch(raw, /\xe2\x80\xa8|\xc2\x85|\xc2\x9b|\x1b/)
    })
  }
})
