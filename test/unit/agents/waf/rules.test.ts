import assert from 'node:assert/strict'
import { test } from 'node:test'
import RE2 from 're2'
import { targets } from '../../../../agents/waf/engine/request.ts'
import { transformations } from '../../../../agents/waf/engine/transform.ts'
import { rules } from '../../../../agents/waf/rules/index.ts'
import { categories } from '../../../../agents/waf/rules/rule.ts'
import { engineAt, verdictOf } from './carriers.ts'

test('ids are unique, lower case and say what they are about', () => {
  assert.equal(new Set(rules.map((rule) => rule.id)).size, rules.length)
  for (const rule of rules) assert.match(rule.id, /^[a-z0-9]+(?:-[a-z0-9]+)+$/)
})

test('every pattern compiles as RE2, and names known targets and transformations', () => {
  for (const rule of rules) {
    if (!('pattern' in rule)) continue
    new RE2(rule.pattern, 'is')
    for (const target of rule.targets) assert.ok(targets.includes(target), rule.id)
    for (const name of rule.transformations) assert.ok(name in transformations, rule.id)
  }
})

test('no pattern matches the empty text', () => {
  const matching = rules.filter((rule) => 'pattern' in rule && rule.paranoia < 3 && new RE2(rule.pattern, 'is').test(''))
  assert.deepEqual(matching.map((rule) => rule.id), [])
})

test('every category and every level has rules', () => {
  for (const category of categories.filter((one) => one !== 'custom')) assert.ok(rules.some((rule) => rule.category === category), category)
  for (const level of [1, 2, 3, 4]) assert.ok(rules.some((rule) => rule.paranoia === level), String(level))
  assert.ok(rules.filter((rule) => rule.paranoia === 1).length >= 80)
})

test('a rule that is off does not count', () => {
  const message = { headers: [['User-Agent', 'sqlmap/1.7']] as const }
  assert.ok(verdictOf(message).blocked)
  assert.ok(!verdictOf(message, engineAt(1, ['scanner-agent'])).blocked)
})

test('a higher level only adds rules', () => {
  const message = { query: 'q=%3Cform%3E' }
  assert.equal(verdictOf(message).score, 0)
  assert.ok(verdictOf(message, engineAt(3)).score > 0)
})
