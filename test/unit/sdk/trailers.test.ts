import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { block, defineAgent } from 'sentinel/sdk'
import { testAgent } from 'sentinel/sdk/testing'

test('fields behind a body are shown to the handlers that want them, after the body, and cannot be changed', async () => {
  const seen: string[] = []
  const agent = await testAgent(defineAgent({
    name: 'test',
    onRequestBody () { seen.push('body') },
    onRequestTrailers (trailers, request) {
      seen.push(`request ${trailers.get('X-Sum')}`)
      assert.throws(() => trailers.set('x-sum', '2'), /pass as they are/)
      assert.throws(() => request.headers.set('a', 'b'), /went on/)
      return trailers.has('bad') ? block(400) : undefined
    },
    onResponseTrailers (trailers, response, _request, { attributes }) {
      seen.push(`response ${response.status}`)
      attributes.set('grpc-status', trailers.get('grpc-status') ?? '')
    },
  }))
  assert.deepEqual(agent.description.events, ['request_headers', 'request_body', 'request_trailers', 'response_headers', 'response_trailers', 'complete'])
  const good = await agent.request('POST', '/', { body: 'x', trailers: { 'x-sum': '1' } })
  assert.equal(good.kind, 'allow')
  const answer = await good.respond(200, { body: 'y', trailers: { 'grpc-status': '7' } })
  assert.deepEqual([answer.kind, answer.attributes], ['allow', { 'grpc-status': '7' }])
  assert.deepEqual(seen, ['body', 'request 1', 'response 200'])
  const bad = await agent.request('POST', '/', { body: 'x', trailers: { bad: '1' } })
  assert.deepEqual([bad.kind, bad.status], ['block', 400])
})

test('an agent that wants no such fields is not sent any', async () => {
  const agent = await testAgent(defineAgent({ name: 'test', onRequest () {} }))
  assert.equal((await agent.request('POST', '/', { body: 'x', trailers: { a: '1' } })).kind, 'allow')
  assert.deepEqual(agent.description.events, ['request_headers', 'complete'])
})
