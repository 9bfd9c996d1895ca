import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defineAgent } from '../../../sdk/index.ts'
import { testAgent } from '../../../sdk/testing/index.ts'

const parts = ['requestBody', 'response', 'responseBody', 'messages'] as const

test('an agent whose concern is known at run time is told of what it says, and of nothing else', async () => {
  const heard: string[] = []
  const agent = await testAgent(defineAgent({
    name: 'concerned',
    concerns: (request) => ({
      requestBody: request.path.includes('requestBody'), response: request.path.endsWith('/response'), responseBody: request.path.includes('responseBody'),
      messages: request.path.includes('messages'),
    }),
    onRequest: () => { heard.push('onRequest') },
    onRequestBody: (body) => { heard.push(`onRequestBody ${Buffer.from(body).toString()}`) },
    onResponse: () => { heard.push('onResponse') },
    onResponseBody: (body) => { heard.push(`onResponseBody ${Buffer.from(body).toString()}`) },
    onWebSocketMessage: () => { heard.push('onWebSocketMessage') },
  }))
  assert.deepEqual(agent.description.events, ['request_headers', 'websocket_message', 'complete'])
  const expected: Readonly<Record<typeof parts[number], readonly string[]>> = {
    requestBody: ['onRequestBody up'], response: ['onResponse'], responseBody: ['onResponse', 'onResponseBody down'], messages: ['onWebSocketMessage'],
  }
  for (const part of parts) {
    heard.length = 0
    const exchange = await agent.request('POST', `/${part}`, { body: 'up' })
    if (part.startsWith('response')) await exchange.respond(200, { body: 'down' })
    if (part === 'messages') await exchange.message('said')
    assert.equal(agent.open, 1, `${part}: it is kept until its end`)
    await exchange.complete()
    assert.deepEqual(heard, ['onRequest', ...expected[part]], part)
  }
  heard.length = 0
  await agent.request('POST', '/', { body: 'up' })
  assert.deepEqual(heard, ['onRequest'])
  assert.equal(agent.open, 0, 'nothing concerns it any more: it is forgotten at once')
})
