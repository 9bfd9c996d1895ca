import assert from 'node:assert/strict'
import test from 'node:test'
import { emptyGuardrail } from '../../../proto/codec/index.ts'
import { eventFrom, plainEvent, type PlainObject } from '../../../proto/message-json.ts'
import { redactBody, redactMessage } from '../../../proxy/observe/redact-message.ts'

const guardrail: PlainObject = plainEvent({ kind: 'guardrail', value: { ...emptyGuardrail, model: 'm', texts: [{ role: 'user', text: 'my password=hunter' }] } })

test('texts that were taken out of bodies stay out with them, and are looked through where bodies are wanted', () => {
  const marks = new Set<string>()
  const without = redactMessage(guardrail, { bodies: false, whole: true, marks })
  assert.deepEqual(without, { kind: 'guardrail', value: { texts: [{ role: 'user', text: { omitted: 18 } }], model: 'm' } })
  assert.deepEqual([...marks], ['the text'])
  const read = eventFrom(JSON.parse(JSON.stringify(without)))
  assert.deepEqual(read.kind === 'guardrail' && read.value.texts, [{ role: 'user', text: '' }])
  assert.deepEqual(redactMessage(guardrail, { bodies: true, whole: true, marks }), { kind: 'guardrail', value: { texts: [{ role: 'user', text: 'my password=[redacted]' }], model: 'm' } })
})

test('what cannot be looked into is left out: parts, and what is no text', () => {
  const body = (data: PlainObject): PlainObject => ({ kind: 'request_body', value: { data, end: true } })
  const redaction = { bodies: true, whole: true, marks: new Set<string>() }
  assert.deepEqual(redactMessage(body({ base64: 'AAEC' }), redaction), body({ omitted: 3 }))
  assert.deepEqual(redactMessage(body({ text: '{"pass' }), { ...redaction, whole: false }), body({ omitted: 6 }))
})

test('JSON and forms lose the values of secret fields, and stay byte for byte when they have none', () => {
  const same = ['{ "a" : [1, 2] }', 'a=1&b=%20', 'plain text', '', '[]', 'null']
  for (const text of same) assert.equal(redactBody(text), text)
  assert.equal(redactBody('{"a":{"access_token":"x","n":1},"session":["y"],"url":"http://u:p@h/?key=1"}'), '{"a":{"access_token":"[redacted]","n":1},"session":"[redacted]","url":"http://[redacted]@h/?key=[redacted]"}')
  assert.equal(redactBody('user=a&password=b'), 'user=a&password=[redacted]')
  assert.equal(redactBody('Authorization: Bearer abcdefgh'), 'Authorization: Bearer [redacted]')
})
