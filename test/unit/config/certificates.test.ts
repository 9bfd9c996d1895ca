import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { assignNames, namesOf, pairOf, pairsAmong } from '../../../config/sentinel/index.ts'
import { makeAuthority } from '../../support/authority.ts'
import { makeCertificate } from '../../support/certificates.ts'
import { folderWith } from '../../support/folder.ts'

const authority = makeAuthority('names')

function namesIn (alternative: string): string[] {
  return namesOf(new X509Certificate(readFileSync(authority.issue('the-common-name', alternative).cert)))
}

test('the names of a certificate are the hosts in it; addresses, mail and what is no host are none', () => {
  assert.deepEqual(namesIn('DNS:A.test,DNS:*.b.test,DNS:a.test,IP:127.0.0.1,email:x@y.test,URI:https://z.test/'), ['a.test', '*.b.test'])
  assert.deepEqual(namesIn('DNS:*.*.test,DNS:a*.test,DNS:ok.test,DNS:with space.test'), ['ok.test'])
  assert.deepEqual(namesIn('IP:127.0.0.1'), [])
})

test('without alternative names the common name counts', (t) => {
  const folder = folderWith(t)
  makeCertificate(folder, 'plain.test', { hosts: null })
  assert.deepEqual(namesOf(new X509Certificate(readFileSync(join(folder, 'plain.test.pem')))), ['plain.test'])
})

test('files of one name belong together', () => {
  const { pairs, skipped } = pairsAmong(['b.crt', 'b.key', 'a.pem', 'c.pem', 'c.key', 'd.cert', 'd.key', 'e.crt', 'f.key', 'g.crt', 'g.pem', 'g.key', 'x.txt', '.hidden.pem', '..data', 'h.i.crt', 'h.i.key'])
  assert.deepEqual(pairs.map(({ stem, certFile, keyFile }) => `${stem}: ${certFile} ${keyFile}`), [
    'a: a.pem a.pem', 'b: b.crt b.key', 'c: c.pem c.key', 'd: d.cert d.key', 'g: g.crt g.key', 'h.i: h.i.crt h.i.key',
  ])
  assert.deepEqual(skipped, [{ file: 'e.crt', reason: 'no-key' }, { file: 'f.key', reason: 'no-certificate' }, { file: 'g.pem', reason: 'second-certificate' }])
})

test('a pair is a pair whatever stands first in one file, and is refused for what is wrong with it', (t) => {
  const one = authority.issue('one', 'DNS:one.test')
  const [cert, key] = [readFileSync(one.cert), readFileSync(one.key)]
  for (const both of [Buffer.concat([cert, key]), Buffer.concat([key, cert])]) assert.ok(typeof pairOf(both, both) !== 'string')
  const other = readFileSync(authority.issue('two', 'DNS:two.test').key)
  const weak = ['cert', 'key'].map((end) => join(folderWith(t), end))
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:512', '-nodes', '-days', '2', '-subj', '/CN=weak', '-out', weak[0]!, '-keyout', weak[1]!], { stdio: 'ignore' })
  assert.equal(pairOf(readFileSync(weak[0]!), readFileSync(weak[1]!)), 'too-weak')
  assert.deepEqual([pairOf(cert, other), pairOf(cert, cert), pairOf(key, key), pairOf(Buffer.alloc(0), key)], ['wrong-key', 'no-key', 'no-certificate', 'no-certificate'])
})

test('a name belongs to the one with priority, else to the first; two with the same right dispute it', () => {
  const a = { plain: ['x', 'y', 'y'], priority: [] }
  const b = { plain: ['x', 'z'], priority: ['y'] }
  const c = { plain: ['y'], priority: ['z'] }
  const { owners, disputes } = assignNames([a, b, c])
  assert.deepEqual([...owners].map(([name, owner]) => `${name} ${[a, b, c].indexOf(owner)}`).toSorted(), ['x 0', 'y 1', 'z 2'])
  assert.deepEqual(disputes.map(({ name, first, second }) => [name, first === a, second === b]), [['x', true, true]])
})
