import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeFully, decodeOnce, formDecode, isStillEncoded } from '../../../../agents/waf/engine/decode.ts'
import { transformations } from '../../../../agents/waf/engine/transform.ts'

const expected: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  decode: [
    ['%27', "'"], ['%2527', "'"], ['%u0027', "'"], ['%c0%af', '/'], ['%e0%80%af', '/'], ['%c1%1c', '\\'], ['&lt;', '<'], ['&#60', '<'], ['&#x0003c;', '<'], ['&amp;lt;', '<'],
    ['\\u003c', '<'], ['\\x3c', '<'], ['\\u{3c}', '<'], ['\\074', '<'], ['\uff1c', '<'], ['\u02bc', "'"], ['\xc3\xa9', 'é'], ['100%', '100%'], ['%zz', '%zz'], ['a&b', 'a&b'], ['..\\x', '..\\x']
  ],
  removeNulls: [['a\0b', 'ab']],
  sqlComments: [['a/**/b', 'a b'], ['/*!50000union*/', ' union '], ['a-- x\nb', 'a b'], ['a#x\nb', 'a b'], ['a/*b', 'a/*b']],
  joinComments: [['un/**/ion', 'union'], ['un/*a*b*/ion', 'union']],
  compressWhitespace: [['a\t\n b', 'a b'], ['a\u00a0b', 'a b'], ['a  b', 'a b'], ['a b', 'a b']],
  removeWhitespace: [['java\tscript:x', 'javascript:x']],
  cssDecode: [['\\65xpression', 'expression'], ['e\\xpression', 'expression'], ['ex/**/pression', 'expression']],
  normalisePath: [['..\\..\\x', '../../x'], ['a//b', 'a/b'], ['a/././b', 'a/b'], ['a/../b', 'a/../b']],
  commandLine: [["c'a't", 'cat'], ['c\\at', 'cat'], ['w^hoami', 'whoami'], ['cat${IFS}x', 'cat x'], ['cat$IFS$9x', 'cat x'], ['{cat,/etc/x}', 'cat /etc/x'], ['c$@at', 'cat'], ['c``at', 'cat']],
  base64Decode: [['PHNjcmlwdD5hbGVydCgxKQ==', '<script>alert(1)'], ['hello', 'hello']]
}

for (const [name, pairs] of Object.entries(expected)) {
  test(`${name} turns what it should and nothing else`, () => {
    const entry = Object.entries(transformations).find(([key]) => key === name)
    assert.ok(entry)
    for (const [from, to] of pairs) assert.equal(entry[1](from), to, JSON.stringify(from))
  })
}

test('every transformation leaves plain text alone, as the very same text', () => {
  for (const transform of Object.values(transformations)) assert.equal(transform('Plain text, 100 words'), 'Plain text, 100 words')
})

test('decoding stops at its bound and says so', () => {
  let text = '<'
  for (let i = 0; i < 12; i++) text = encodeURIComponent(text)
  assert.ok(isStillEncoded(text, decodeFully(text)))
  assert.ok(!isStillEncoded('%3C', decodeFully('%3C')))
})

test('decoding never swallows an ASCII character behind one that was decoded before', () => {
  assert.equal(decodeOnce("\u00c0' or 1=1"), "\u00c0' or 1=1")
  assert.ok(decodeFully('%C3%80%2527').endsWith("'"))
})

test('forms read plus signs as blanks', () => {
  assert.equal(formDecode('a+b%2Bc'), 'a b+c')
})
