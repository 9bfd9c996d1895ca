import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { testAgent } from 'sentinel/sdk/testing'
import { waf } from '../../../../agents/waf/agent.ts'
import { readOwnRules } from '../../../../agents/waf/rules/own.ts'

const rules = `file /etc/waf/shop.rules
# Old pages that scanners ask for.
rule shop-old-php
  severity critical
  targets path args
  transform path
  pattern \\.php[0-9]?$

rule shop-word
  severity notice
  description A word that we count
  paranoia 2
  pattern forbidden fruit
`

test('rules of an operator\'s own count like any other, and can be switched off like any other', async () => {
  const agent = await testAgent(waf, { config: { 'custom-rules': [rules], 'paranoia-level': 2 } })
  const refused = await agent.request('GET', '/shop/index.php')
  assert.equal(refused.kind, 'block')
  assert.deepEqual(refused.audit.ruleIds, ['shop-old-php'])
  const counted = await agent.request('GET', '/?q=forbidden+fruit')
  await agent.configure({ 'paranoia-level': 2 })
  const without = await agent.request('GET', '/?q=forbidden+fruit')
  assert.deepEqual([counted.kind, Number(counted.attributes['waf.score'])], ['allow', Number(without.attributes['waf.score'] ?? 0) + 2])
  await agent.configure({ 'custom-rules': [rules], 'rules-disabled': ['shop-old-php'] })
  assert.equal((await agent.request('GET', '/shop/index.php')).kind, 'allow')
})

test('mistakes in rules are told with file and line', () => {
  const broken = `file a.rules
severity critical
rule one
  severity fatal
  targets path nowhere
  pattern (
rule one
  pattern x
rule two
SecRule ARGS "@rx x" "id:1"
  colour red
  pattern .*
`
  const { problems } = readOwnRules([broken], new Set())
  assert.deepEqual(problems.map((text) => text.slice(0, 40).replace(/: .*/, '')), [
    'a.rules:1', 'a.rules:3', 'a.rules:4', 'a.rules:5', 'a.rules:6', 'a.rules:9', 'a.rules:10', 'a.rules:11',
  ])
  assert.match(problems[5]!, /Core Rule Set/)
  assert.match(readOwnRules(['rule x'], new Set()).problems[0]!, /^custom-rules 1:1: rule 'x' has no pattern/)
  assert.match(readOwnRules(['rule sqli-union\npattern x'], new Set(['sqli-union'])).problems[0]!, /already/)
})

const attack = "/admin/upload?q=1'%20OR%201=1--"

test('a rule can be off below a path or for a host, and on everywhere else', async () => {
  const agent = await testAgent(waf)
  const { audit: { ruleIds } } = await agent.request('GET', attack)
  assert.ok(ruleIds.length > 0)
  const all = [...new Set([...ruleIds, ...(await agent.request('GET', attack.replace('/admin', ''))).audit.ruleIds])]
  // Others may speak up once those are off: all of the family are named.
  const off = async (exclusion: Readonly<Record<string, string>>): Promise<string> => {
    let names = all
    for (let round = 0; round < 20; round++) {
      await agent.configure({ exclusion: [{ rules: names, ...exclusion }] })
      const verdict = await agent.request('GET', attack)
      if (verdict.kind === 'allow' || exclusion['path'] === '/other') return verdict.kind
      names = [...new Set([...names, ...verdict.audit.ruleIds])]
    }
    return 'block'
  }
  assert.equal(await off({ path: '/admin' }), 'allow')
  assert.equal((await agent.request('GET', attack.replace('/admin', '/%2e/admin'))).kind, 'block', 'not for a path that hides others')
  assert.equal((await agent.request('GET', attack.replace('/admin', ''))).kind, 'block')
  assert.equal(await off({ path: '/other' }), 'block')
  const problems = await agent.configure({ exclusion: [{ rules: ['no-such-rule'], path: '/a' }] })
  assert.deepEqual([problems[0]?.path, problems[0]?.message], [['exclusion', '0', 'rules', '0'], "there is no rule 'no-such-rule'"])
})

test('bodies of other types are not looked into, and those of no type or of several are', async () => {
  const agent = await testAgent(waf, { config: { 'content-types': ['application/json', 'text/*'] } })
  const body = '{"q":"1\' OR 1=1--"}'
  const kind = async (type: string | undefined): Promise<string> => (await agent.request('POST', '/', { ...type === undefined ? {} : { headers: { 'content-type': type } }, body })).kind
  assert.equal(await kind('application/json; charset=utf-8'), 'block')
  assert.equal(await kind('text/plain'), 'block')
  assert.equal(await kind(undefined), 'block')
  assert.equal(await kind('image/png, application/json'), 'block')
  assert.equal(await kind('application/x-other'), 'allow')
})

test('growth of packed bodies is bounded by what is configured', async () => {
  const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' }
  const body = gzipSync(JSON.stringify({ a: 'x'.repeat(200_000) }))
  const agent = await testAgent(waf)
  assert.equal((await agent.request('POST', '/', { headers, body: [body] })).kind, 'block')
  await agent.configure({ 'max-decompression-ratio': 1000 })
  assert.equal((await agent.request('POST', '/', { headers, body: [body] })).kind, 'allow')
  await agent.configure({ 'max-decompression-ratio': 1000, 'max-decompressed-size': '100KiB' })
  assert.equal((await agent.request('POST', '/', { headers, body: [body] })).kind, 'block')
})

test('without an audit log a decision carries its score and no rules', async () => {
  const agent = await testAgent(waf, { config: { 'audit-log': false } })
  const verdict = await agent.request('GET', attack)
  assert.equal(verdict.kind, 'block')
  assert.deepEqual(verdict.audit.ruleIds, [])
})
