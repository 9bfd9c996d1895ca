// What the guide says that a handler may do is what the proxy lets it do.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { defineAgent } from 'sentinel/sdk'
import { stages } from '../../../proxy/decisions/decide.ts'
import { filled, hooks } from '../../../sdk/publish/hooks.ts'
import { fromRoot } from '../../support/paths.ts'

/** At which point of an exchange the proxy puts what each handler gives. */
const stageOf = {
  onRequest: stages.requestHeaders,
  onRequestBody: stages.wholeRequestBody,
  onRequestChunk: stages.requestChunk,
  onRequestTrailers: stages.requestChunk,
  onResponse: stages.responseHeaders,
  onResponseBody: stages.wholeResponseBody,
  onResponseChunk: stages.responseChunk,
  onResponseTrailers: stages.responseChunk,
  onWebSocketMessage: stages.webSocketMessage,
} as const

test('every handler that is asked may do what its stage of the proxy allows, and nothing else', () => {
  for (const [name, stage] of Object.entries(stageOf)) {
    const { requestOpen, responseOpen, bodyOpen, lateBody, returns } = hooks[name as keyof typeof stageOf]
    assert.deepEqual({ requestOpen, responseOpen, bodyOpen }, { requestOpen: stage.requestOpen, responseOpen: stage.responseOpen, bodyOpen: stage.bodyOpen }, name)
    assert.equal(lateBody, stage.phase === 'request-headers', name)
    assert.equal(returns, name.endsWith('Chunk') ? 'chunk answer or decision' : name.endsWith('Message') ? 'message answer or decision' : 'decision', name)
  }
})

test('every handler of a definition has a row and a page, and every page is of a handler', () => {
  const source = readFileSync(fromRoot('sdk', 'definition.ts'), 'utf8')
  const handlers = [...source.matchAll(/^ {2}(on\w+)\? \(/gm)].map(([, name]) => name).filter((name) => name !== 'onConfigure')
  assert.deepEqual(Object.keys(hooks).sort(), handlers.sort())
  assert.deepEqual(readdirSync(fromRoot('sdk', 'docs')).sort(), Object.values(hooks).map(({ page }) => `${page}.md`).sort())
  for (const [name, { page }] of Object.entries(hooks)) {
    const text = readFileSync(fromRoot('sdk', 'docs', `${page}.md`), 'utf8')
    assert.ok(text.startsWith(`# ${name}\n`), page)
    assert.ok(text.includes(`hooks.ts: ${name} -->`), page)
    assert.equal(filled(text), text, `${page} is not what the table says: node dist/sdk/publish/generate.js`)
  }
})

test('a handler that is not there is not asked for', () => {
  assert.deepEqual(defineAgent({ name: 'test', onComplete () {} }).events, ['request_headers', 'complete'])
})

test('a place in a page that nobody fills, or that does not end, is an error', () => {
  assert.throws(() => filled('<!-- made from sdk/publish/hooks.ts: onNothing -->\n<!-- end -->'), /no handler/)
  assert.throws(() => filled('<!-- made from sdk/publish/hooks.ts: onRequest -->\ntext'), /no end/)
})
