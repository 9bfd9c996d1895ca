import assert from 'node:assert/strict'
import { test } from 'node:test'
import { attacks, encodedAttacks } from './attacks.ts'
import { benign, benignPaths, blogText, browsers } from './benign.ts'
import type { Message } from './carriers.ts'
import { carriers, engineAt, percent, verdictOf } from './carriers.ts'

const named = Object.entries(attacks).flatMap(([category, list]) => list.map((text) => ({ category, text })))

/** Carriers that change what an attack is: a line break in a text is a line break, in a header it cannot be. */
function suits (carrier: string, { category, text }: { category: string, text: string }): boolean {
  // Names of project files are asked for by path or argument; elsewhere they are just words.
  if (text === '.env') return /path|query$|form|json|multipart/.test(carrier)
  // A mail header is one in a form that sends mail.
  if (/\nBcc/.test(text)) return /query$|form|json|multipart|referer/.test(carrier)
  // Lines of a plain text are lines.
  return !(category === 'protocol' && carrier === 'text')
}

test('the corpora are large enough to mean something', () => {
  assert.ok(benign.length + benignPaths.length >= 150, `${benign.length} benign`)
  assert.ok(named.length + encodedAttacks.length >= 300, `${named.length + encodedAttacks.length} attacks`)
})

for (const [carrier, carry] of Object.entries(carriers)) {
  test(`every attack is refused in: ${carrier}`, () => {
    const missed = named.filter((attack) => suits(carrier, attack) && !verdictOf(carry(attack.text)).blocked)
    assert.deepEqual(missed, [])
  })

  test(`every benign text passes in: ${carrier}`, () => {
    const refused = [...benign, blogText].flatMap((text) => {
      // Line breaks belong into bodies and form fields, nowhere else.
      if (/[\r\n\t]/.test(text) && !/form|json|multipart|text|^query$|referer/.test(carrier)) return []
      const { blocked, hits } = verdictOf(carry(text))
      return blocked ? [{ text, rules: hits.map((hit) => hit.rule.id) }] : []
    })
    assert.deepEqual(refused, [])
  })
}

test('every attack that is encoded already is refused in query, form and path', () => {
  const missed = encodedAttacks.flatMap((text) => {
    const safe = text.replaceAll('&', '%26').replaceAll('#', '%23')
    const messages: Record<string, Message> = {
      query: { query: `q=${safe}` },
      form: { headers: [['Content-Type', 'application/x-www-form-urlencoded']], body: `q=${safe}` },
      path: { rawPath: `/x/${safe.replaceAll(' ', '%20').replaceAll('+', '%20')}` }
    }
    return Object.entries(messages).filter(([, message]) => !verdictOf(message).blocked).map(([where]) => `${where}: ${text}`)
  })
  assert.deepEqual(missed, [])
})

const entity = (text: string) => [...text].map((char) => /[A-Za-z0-9 ]/.test(char) ? char : `&#x${char.codePointAt(0)!.toString(16)};`).join('')
const wide = (text: string) => text.replace(/[!-~]/g, (char) => String.fromCharCode(char.charCodeAt(0) + 0xfee0))
const overlong = (text: string) => Buffer.from(text).toString('latin1').replace(/[^A-Za-z0-9\x80-\xff]/g, (char) =>
  `%c${(char.charCodeAt(0) >> 6).toString(16)}%${(char.charCodeAt(0) & 0x3f | 0x80).toString(16)}`)
const unicode = (text: string) => text.replace(/[^A-Za-z0-9]/g, (char) => `%u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
const mixed = (text: string) => [...text].map((char, i) => i % 2 === 0 ? char.toUpperCase() : char.toLowerCase()).join('')

const encodings: Readonly<Record<string, (text: string) => string>> = {
  'twice percent': (text) => percent(percent(text)),
  'three times percent': (text) => percent(percent(percent(text))),
  '%uXXXX': unicode,
  'HTML entities': (text) => percent(entity(text)),
  'entities in percent in percent': (text) => percent(percent(entity(text))),
  'full width': (text) => percent(wide(text)),
  'overlong UTF-8': overlong,
  'mixed case': (text) => percent(mixed(text))
}

for (const [encoding, encode] of Object.entries(encodings)) {
  test(`every attack is refused when encoded as: ${encoding}`, () => {
    const missed = named.filter(({ text }) => {
      // Case is part of base64 and of serialised objects; C1 forms exist for ASCII only.
      if (encoding === 'mixed case' && /base64|rO0AB|-enc |PD9/.test(text)) return false
      if (encoding === 'overlong UTF-8' && /[^\x00-\x7f]/.test(text)) return false
      return !verdictOf({ query: `q=${encode(text)}` }).blocked
    })
    assert.deepEqual(missed, [])
  })
}

test('paths of ordinary sites pass', () => {
  const refused = benignPaths.filter((rawPath) => verdictOf({ rawPath }).blocked)
  assert.deepEqual(refused, [])
})

test('headers of ordinary browsers and apps score nothing, and nothing that refuses at level 3', () => {
  for (const [name, headers] of Object.entries(browsers)) {
    assert.deepEqual(verdictOf({ headers }).hits, [], name)
    const strict = verdictOf({ headers }, engineAt(3))
    assert.ok(!strict.blocked, `${name} at level 3: ${strict.hits.map((hit) => hit.rule.id).join()}`)
  }
})

test('rates: attacks refused and benign texts refused at each level', (t) => {
  for (const level of [1, 2, 3, 4]) {
    const engine = engineAt(level)
    const found = named.filter(({ text }) => verdictOf(carriers['form']!(text), engine).blocked).length
    const wrong = benign.filter((text) => verdictOf(carriers['form']!(text), engine).blocked).length
    t.diagnostic(`level ${level}: ${found}/${named.length} attacks, ${wrong}/${benign.length} benign refused`)
    assert.equal(found, named.length)
  }
})
