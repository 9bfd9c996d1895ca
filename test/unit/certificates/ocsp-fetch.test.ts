import assert from 'node:assert/strict'
import { createServer, type ServerResponse } from 'node:http'
import { test, type TestContext } from 'node:test'
import { askResponder } from '../../../proxy/certificates/ocsp/fetch.ts'

async function responder (t: TestContext, answer: (response: ServerResponse, question: Buffer) => void): Promise<string> {
  const server = createServer((message, response) => {
    const chunks: Buffer[] = []
    message.on('data', (chunk: Buffer) => chunks.push(chunk))
    message.on('end', () => answer(response, Buffer.concat(chunks)))
  })
  await new Promise<void>((go) => { server.listen(0, '127.0.0.1', go) })
  t.after(() => { server.close(); server.closeAllConnections() })
  const address = server.address()
  return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/a/b?c`
}

const patient = new AbortController().signal

test('the question is posted as it is, and the answer is given as it came', async (t) => {
  const url = await responder(t, (response, question) => {
    const { url: path, method, headers } = response.req
    response.end(JSON.stringify([method, path, headers['content-type'], question.toString('hex')]))
  })
  assert.deepEqual(JSON.parse((await askResponder(url, Buffer.from('0001ff', 'hex'), patient)).toString()), ['POST', '/a/b?c', 'application/ocsp-request', '0001ff'])
})

test('other statuses, redirects too, large answers, broken ones and responders that are not there are refusals', async (t) => {
  for (const [answer, why] of [
    [(response) => response.writeHead(503).end(), /answers 503/],
    [(response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(), /answers 302/],
    [(response) => { for (let i = 0; i < 8; i++) response.write(Buffer.alloc(16 * 1024)) }, /too large/],
    [(response) => { response.writeHead(200, { 'content-length': 100 }).write('half'); setTimeout(() => response.destroy(), 20) }, /aborted/],
    [(response) => response.destroy(), /hang up/],
  ] as ReadonlyArray<readonly [(response: ServerResponse) => void, RegExp]>) {
    await assert.rejects(askResponder(await responder(t, answer), Buffer.from('x'), patient), why)
  }
  await assert.rejects(askResponder('http://127.0.0.1:1/', Buffer.from('x'), patient), /ECONNREFUSED/)
})

test('a silent responder is left when the proxy stops', async (t) => {
  const url = await responder(t, () => { /* it says nothing */ })
  await assert.rejects(askResponder(url, Buffer.from('x'), AbortSignal.timeout(50)), /silent/)
})
