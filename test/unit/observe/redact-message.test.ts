import assert from 'node:assert/strict'
import test from 'node:test'
import { emptyGuardrail } from '../../../proto/codec/index.ts'
import { eventFrom, plainEvent, type PlainObject } from '../../../proto/message-json.ts'
import { redactBody } from '../../../proxy/observe/redact-body.ts'
import { scrubText } from '../../../proxy/observe/redact.ts'
import { redactMessage } from '../../../proxy/observe/redact-message.ts'
import { processorMs } from '../../support/processor-time.ts'

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

const secret = 'hunter2Secret'

test('fields whose names others made up for credentials lose their values, and cookies without a name are all value', () => {
  const names = [
    'x-auth', 'x-auth-key', 'ocp-apim-subscription-key', 'x-functions-key', 'fastly-key', 'cf-access-jwt-assertion', 'x-goog-iap-jwt-assertion', 'dpop', 'x-otp', 'X-UserPwd',
    'x-passcode', 'x-xsrf', 'php-auth-pw', 'authentication', 'cookie', 'set-cookie', 'x_api_key', 'proxy-authorization',
  ]
  for (const name of names) assert.doesNotMatch(JSON.stringify(shown({ headers: [[name, secret]] })), /hunter/, name)
  for (const name of ['idempotency-key', 'sec-websocket-key', 'x-auth-user', 'cache-control']) assert.match(JSON.stringify(shown({ headers: [[name, secret]] })), /hunter/, name)
  assert.deepEqual(shown({ headers: [['cookie', `${'n'.repeat(300)}=${secret}; b; c=${secret}`]] }), { headers: [['cookie', `${'n'.repeat(300)}=[redacted];[redacted]; c=[redacted]`]] })
})

test('values lose what is a credential wherever it stands in them', () => {
  const values: ReadonlyArray<readonly [string, string]> = [
    ['x-url', `http://user:pa@${secret}@h/`], ['forwarded', `for=1.2.3.4;host="user:${secret}@h"`], ['x-forwarded-host', `u:${secret}@h`], ['origin', `http://u:${secret}@h`],
    ['location', `https://a/cb?x=1#access_token=${secret}`], ['referer', `https://a/b;jsessionid=${secret}?x=1`], ['refresh', `0; url=https://a/?code=${secret}`],
    ['sec-websocket-protocol', `bearer, ${secret}`], ['sec-websocket-protocol', `realtime, openai-insecure-api-key.sk-proj-${secret}${secret}`],
    ['x-a', `sk-ant-api03-${secret}${secret}`], ['x-b', `eyJhbGciOiJIUzI1NiJ9.${secret}.${secret}`], ['x-c', `{"pwd":"${secret}"}`], ['x-d', `password="a ${secret}"`],
    ['x-e', `ApiKey ${secret}`], ['x-f', `ghp_${secret}${secret}`],
  ]
  for (const [name, value] of values) assert.doesNotMatch(JSON.stringify(shown({ headers: [[name, value]] })), /hunter/, value)
  assert.deepEqual(shown({ headers: [['sec-websocket-protocol', 'graphql-transport-ws, v4.channel.k8s.io']] }), { headers: [['sec-websocket-protocol', 'graphql-transport-ws, v4.channel.k8s.io']] })
  for (const query of [`next=https%3A%2F%2Fa%2F%3Ftoken%3D${secret}`, `u=https://u:${secret}@h/`, `auth_key=${secret}`, `pass=${secret}`, `PHPSESSID=${secret}`, `k=sk-${secret}${secret}`]) {
    assert.doesNotMatch(JSON.stringify(shown({ query })), /hunter/, query)
  }
})

test('what agents say is looked through: audits, tickets, facts of any name', () => {
  assert.deepEqual(shown({ attributes: { text: 'a', password: secret } }), { attributes: { text: 'a', password: '[redacted]' } })
  assert.deepEqual(shown({ details: { base64: 'b', json: `{"jwt":"${secret}"}` } }), { details: { base64: 'b', json: '{"jwt":"[redacted]"}' } })
  assert.deepEqual(shown({ ticket: `https://t/?token=${secret}`, tags: [`pwd=${secret}`] }), { ticket: 'https://t/?token=[redacted]', tags: ['pwd=[redacted]'] })
})

test('bodies of every kind that can be looked into lose secrets; what looks like one and is none is left out', () => {
  const bodies = [
    `\ufeff{"pwd":"${secret}"}`, `{"pwd":"${secret}"}\n{"jwt":"${secret}"}\n`, `data: {"session":"${secret}"}\n\n`, `[{"name":"password","value":"${secret}"}]`, `{"key":"api_key","value":"${secret}"}`,
    `{"arguments":"{\\"jwt\\":\\"${secret}\\"}"}`, `{"content":"use sk-proj-${secret}${secret}"}`, `pin=${secret}\n`, `pwd=${secret}&a=b c`, `$a=1&pin=${secret}`,
    `--XX\r\nContent-Disposition: form-data; name="password"\r\n\r\n${secret}\r\n--XX\r\nContent-Disposition: form-data; name="meta"\r\n\r\n{"otp":"${secret}"}\r\n--XX--\r\n`,
    `<a><password>${secret}</password></a>`, `<input name="csrf_token" value="${secret}">`, `<wsse:Password Type="x">${secret}</wsse:Password>`, `<a pwd='${secret}'/>`, `pwd: ${secret}\n`,
    `{"query":"mutation{login(pwd:\\"${secret}\\")}"}`, `CONNECT\npasscode:${secret}\n\n`, `-----BEGIN RSA PRIVATE KEY-----\n${secret}\n-----END RSA PRIVATE KEY-----`,
    `{"headers":[["Authorization","${secret}"]]}`, `{"h":"Authorization: Custom ${secret}"}`, `Set-Cookie: sid=${secret}; Path=/`, `{"url":"https://h/#access_token=${secret}"}`,
  ]
  for (const body of bodies) {
    const text = redactBody(body)
    assert.match(text ?? '', /\[redacted\]/, body)
    assert.doesNotMatch(text ?? '', /hunter/, body)
  }
  const unknown = [`{"a":1,"pwd":"${secret}","b":`, `{"password": /* x */ "${secret}"}`, `{pwd: '${secret}'}`, `${'['.repeat(5000)}{"pwd":"${secret}"}${']'.repeat(5000)}`, '--a\r\n\r\n--b\r\n\r\n--c\r\n\r\n--d\r\n\r\n--e\r\n\r\n--f\r\n\r\n']
  for (const body of unknown) assert.equal(redactBody(body), undefined, body.slice(0, 40))
  assert.deepEqual(shown({ kind: 'request_body', value: { data: { text: unknown[0]! } } }), { kind: 'request_body', value: { data: { omitted: Buffer.byteLength(unknown[0]!) } } })
  const same = ['{"a":1}\n{"b":2}\n', 'data: {"a": 1}\n\n', '--X\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--X--\r\n', '<a b="c">d</a>', '{"sort_key":"a","bypass":true,"auth":false}', 'key: value, see below']
  for (const body of same) assert.equal(redactBody(body), body)
  assert.equal(scrubText('jwt: expired, signature: invalid'), 'jwt: expired, signature: invalid')
})

test('text that was made to be slow takes no longer than other text', () => {
  for (const piece of ['a-', 'token', 'token=', ' ', 'eyJ-', 'a="', '<a ', '--a\r\n\r\n', 'cookie=', '//a@', 'a:b@', '\\"', ';a=', 'a=1&']) {
    const ms = processorMs(() => { for (const start of ['', '<', '{"', 'x ']) redactBody(start + piece.repeat(64 * 1024 / piece.length)) })
    assert.ok(ms < 5_000, `${piece}: ${ms} ms`)
  }
})

function shown (message: PlainObject): PlainObject {
  return redactMessage(message, { bodies: true, whole: true, marks: new Set() })
}
