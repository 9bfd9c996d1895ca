import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import { limits, verdictOf } from './carriers.ts'

const attack = "' UNION SELECT NULL,NULL--"
const json = 'application/json'

function post (type: string | undefined, body: string | Uint8Array, more: readonly (readonly [string, string])[] = []) {
  return verdictOf({ headers: [...type === undefined ? [] : [['Content-Type', type] as const], ...more], body })
}

function ids (verdict: ReturnType<typeof verdictOf>): string[] {
  return verdict.hits.map((hit) => hit.rule.id)
}

const multipart = (parts: string, boundary = 'b') => `--${boundary}\r\n${parts}\r\n--${boundary}--\r\n`
const field = (text: string, head = 'Content-Disposition: form-data; name="a"') => multipart(`${head}\r\n\r\n${text}`)

test('compressed bodies are inspected in every coding that HTTP names, also one inside the other', () => {
  const form = Buffer.from(`a=${encodeURIComponent(attack)}`)
  const type = 'application/x-www-form-urlencoded'
  for (const [coding, bytes] of [['gzip', gzipSync(form)], ['deflate', deflateSync(form)], ['deflate', deflateRawSync(form)], ['br', brotliCompressSync(form)], ['gzip, br', brotliCompressSync(gzipSync(form))]] as const) {
    assert.ok(ids(post(type, bytes, [['Content-Encoding', coding]])).includes('sqli-union-select'), coding)
  }
  assert.ok(!post(type, gzipSync('a=hello'), [['Content-Encoding', 'gzip']]).blocked)
})

test('a body that cannot be decompressed within bounds is refused', () => {
  const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024))
  for (const [coding, bytes] of [['gzip', Buffer.from('not gzip')], ['zstd', Buffer.from('x')], ['gzip', gzipSync('a=1').subarray(0, 12)], ['gzip', bomb], ['gzip, gzip, gzip', Buffer.from('x')]] as const) {
    assert.deepEqual(ids(post('text/plain', bytes, [['Content-Encoding', coding]])), ['body-content-encoding'], coding)
  }
})

test('a body over the limit, or of which only the beginning came, is refused', () => {
  assert.ok(ids(post('text/plain', Buffer.alloc(limits.maxBytes + 1, 'a'))).includes('body-too-large'))
  assert.ok(verdictOf({ body: 'a', truncated: true }).blocked)
})

test('JSON: names, nested values and the first of two equal names are inspected', () => {
  for (const body of [JSON.stringify({ [attack]: 1 }), JSON.stringify([[{ a: { b: attack } }]]), JSON.stringify(attack), `{"a":${JSON.stringify(attack)},"a":"fine"}`, `\ufeff{"a":${JSON.stringify(attack)}}`]) {
    assert.ok(post(json, body).blocked, body)
  }
  assert.ok(ids(post(json, '{"a":1,"a":2}')).includes('body-json-repeated-name'))
})

test('JSON that is broken is inspected as text and noticed', () => {
  for (const body of [`{"a":"${attack}"`, `{'a':'<script>'}`, `{"a":"x",}${attack}`, `/* c */ {"a":"${attack}"}`]) {
    const verdict = post(json, body)
    assert.ok(verdict.blocked && ids(verdict).includes('body-json-malformed'), body)
  }
  assert.ok(!post(json, '{"a":').blocked)
})

test('JSON beyond the bounds of depth and entries is refused, without a stack overflow', () => {
  assert.ok(ids(post(json, '['.repeat(100_000))).includes('body-json-bounds'))
  assert.ok(ids(post(json, `[${'1,'.repeat(30_000)}1]`)).includes('body-json-bounds'))
})

test('multipart: fields, file names and code in files are inspected', () => {
  const type = 'multipart/form-data; boundary=b'
  assert.ok(post(type, field(attack)).blocked)
  assert.ok(post(type, field('x', `Content-Disposition: form-data; name="${encodeURIComponent('<script>')}"`)).blocked)
  assert.ok(ids(post(type, field('x', 'Content-Disposition: form-data; name="f"; filename="shell.php"'))).includes('upload-script-name'))
  assert.ok(ids(post(type, field('<?php system(1);', 'Content-Disposition: form-data; name="f"; filename="a.png"\r\nContent-Type: image/png'))).includes('code-php-tag'))
  assert.ok(post(type, field(attack, 'Content-Disposition: form-data; name="f"; filename=""')).blocked, 'empty file name')
  assert.ok(!post(type, field('\x89PNG\r\n\x1a\n\0\0', 'Content-Disposition: form-data; name="f"; filename="photo (1).png"\r\nContent-Type: image/png')).blocked)
  assert.ok(!post('multipart/form-data; boundary="----WebKitFormBoundary7MA4YWxk"', multipart('Content-Disposition: form-data; name="a"\r\n\r\nhello', '----WebKitFormBoundary7MA4YWxk')).blocked)
})

test('multipart on which readers would not agree is refused', () => {
  const type = 'multipart/form-data; boundary=b'
  const good = field('x')
  const bad: Record<string, readonly [string, string]> = {
    'no boundary': ['multipart/form-data', good], 'two boundaries': ['multipart/form-data; boundary=b; boundary=c', good], 'encoded boundary': ['multipart/form-data; boundary*=utf-8\'\'b', good],
    preamble: [type, `x\r\n${good}`], epilogue: [type, `${good}more`], 'no end': [type, good.replace('--b--\r\n', '')], 'bare line feeds': [type, good.replaceAll('\r\n', '\n')],
    'lone line feed before a boundary': [type, field(`x\n--b\nContent-Disposition: form-data; name="z"\n\n${attack}`)], 'folded head': [type, field('x', 'Content-Disposition: form-data;\r\n name="a"')],
    'repeated disposition': [type, field('x', 'Content-Disposition: form-data; name="a"\r\nContent-Disposition: form-data; name="b"')], 'two names': [type, field('x', 'Content-Disposition: form-data; name="a"; name="b"')],
    'filename*': [type, field('x', 'Content-Disposition: form-data; name="a"; filename*=utf-8\'\'x.php')], 'no name': [type, field('x', 'Content-Disposition: form-data')], 'null in head': [type, field('x', 'Content-Disposition: form-data; name="a\0b"')]
  }
  for (const [what, [contentType, body]] of Object.entries(bad)) assert.ok(post(contentType, body).blocked, what)
})

test('an encoded part is decoded and scored', () => {
  const part = field(Buffer.from(attack).toString('base64'), 'Content-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64')
  const found = ids(post('multipart/form-data; boundary=b', part))
  assert.ok(found.includes('body-multipart-encoding') && found.includes('sqli-union-select'))
})

test('other charsets are read, unknown ones refused', () => {
  const utf16 = Buffer.from(JSON.stringify({ a: attack }), 'utf16le')
  assert.ok(ids(post(`${json}; charset=utf-16`, utf16)).includes('sqli-union-select'))
  assert.ok(ids(post(json, utf16)).includes('sqli-union-select'), 'without saying so')
  assert.ok(ids(post('text/plain; charset=ibm037', 'x')).includes('body-charset'))
  assert.ok(post('text/plain; charset=utf-7', 'x').blocked)
  assert.ok(!post('text/plain; charset=ISO-8859-1', Buffer.from('Grüße', 'latin1')).blocked)
})

test('a repeated or doubled content type is refused', () => {
  assert.ok(post(json, '{}', [['Content-Type', 'text/plain']]).blocked)
  assert.ok(post('text/plain, application/json', '{}').blocked)
})

test('a body of unknown type is inspected as text and as what it looks like', () => {
  assert.ok(post(undefined, `{"a":"\\u0027 OR 1=1--"}`).blocked)
  assert.ok(post('application/octet-stream', `q=${encodeURIComponent(attack)}`).blocked)
  assert.ok(post('text/plain', '<!DOCTYPE a SYSTEM "x">').blocked)
})

test('a binary body passes as such, a text that only says it is binary does not', () => {
  assert.ok(!post('image/png', Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0', 'latin1')).blocked)
  assert.ok(post('image/png', `q=${attack}`).blocked)
})

test('XML: texts, attributes and CDATA are inspected, ordinary documents pass', () => {
  const type = 'application/soap+xml'
  for (const inner of [`<a>&lt;script&gt;</a>`, `<a b="&#39; or 1=1--"/>`, `<![CDATA[${attack}]]>`, `<!-- ${attack} -->`]) assert.ok(post(type, `<r>${inner}</r>`).blocked, inner)
  assert.ok(!post('application/atom+xml', '<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><link href="https://example.com/"/><title>Tom &amp; Jerry</title><object id="1"/></feed>').blocked)
})

test('more values than the bound are refused, not skipped', () => {
  assert.ok(ids(verdictOf({ query: 'a=1&'.repeat(30_000) })).includes('limit-values'))
})

test('what is still encoded after the last round is refused', () => {
  let text = '<'
  for (let i = 0; i < 9; i++) text = encodeURIComponent(text)
  assert.ok(ids(verdictOf({ query: `q=${text}` })).includes('encoding-too-deep'))
})

test('texts made to be slow take no longer than plain ones', () => {
  const size = 256 * 1024
  for (const piece of ['/*', '*/', '<!--', '<![CDATA[', '<a b="', '="', '&#', '&lt', '%', '%u', '\\', '\\u{', '${', '{{', '{a,', "'", '`', '--', '#', '//', '/./', '..', ' ', '\n', '\u200b', 'union ', 'select ', 'a=1&'.repeat(3), '[', '"\\', '\xc0', ';', 'rO0AB']) {
    const body = piece.repeat(Math.floor(size / Buffer.byteLength(piece)))
    for (const type of ['text/plain', json, 'application/xml']) {
      const started = performance.now()
      post(type, body)
      assert.ok(performance.now() - started < 3000, `${JSON.stringify(piece)} as ${type} took ${performance.now() - started} ms`)
    }
  }
})
