// How the engine brings older forms into the preferred one.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KdlNode } from '../../../config/kdl/nodes.ts'
import { parseKdl } from '../../../config/kdl/parse.ts'
import {
  block, integer, list, namedVariants, notBuilt, optionalBlock, readFields, Report, setting, text,
} from '../../../config/schema/index.ts'
import type { OlderForms } from '../../../config/schema/index.ts'

const fields = {
  limits: block({ size: setting(integer(0, 100), 1, 'Size.'), count: setting(integer(0, 100), 2, 'Count.') }, 'Limits.'),
  names: list(text, [], 'Names.'),
}

const into = (name: string) => (node: KdlNode): KdlNode[] => [{ name: 'limits', at: node.at, args: [], props: [], children: [{ ...node, name }] }]

const older: OlderForms = {
  'max-size': { doc: 'write limits', into: into('size') },
  'max-count': { doc: 'write limits', into: into('count') },
  all: { doc: 'write them alone', into: node => node.children ?? [] },
}

function read (content: string) {
  const report = new Report()
  const value = readFields(fields, parseKdl(content, 'x').nodes, report, 'x', { older })
  return { value, errors: report.problems.filter(({ severity }) => severity === 'error').map(({ message }) => message) }
}

test('settings that stood alone come into the block that is there, before it or after it', () => {
  const wanted = { limits: { size: 7, count: 8 }, names: [] }
  for (const content of ['max-size 7; max-count 8', 'limits { size 7 }; max-count 8', 'max-count 8; limits { size 7 }', 'limits size=7; max-count 8']) {
    assert.deepEqual(read(content), { value: wanted, errors: [] }, content)
  }
})

test('a setting that is there already is given twice, whichever came first', () => {
  for (const content of ['limits { size 7 }; max-size 8', 'max-size 8; limits { size 7 }', 'max-size 7; max-size 8']) {
    assert.deepEqual(read(content).errors, ['\'size\' of \'limits\' is given twice'], content)
  }
})

test('what an older form holds and nobody knows is told as anything else', () => {
  assert.deepEqual(read('all { names "a" "b"; max-lenght 3 }').errors, ['unknown setting \'max-lenght\' in the configuration'])
  assert.deepEqual(read('all { names "a" "b" }').value?.names, ['a', 'b'])
})

test('settings of a variant may say something of one another', () => {
  const things = namedVariants('thing', {
    tag: 'type',
    common: {},
    of: { range: { from: setting(integer(0, 9), 0, 'From.'), to: setting(integer(0, 9), 9, 'To.') }, point: { at: setting(integer(0, 9), 0, 'At.') } },
    checks: {
      range (value, here) {
        if (value.from > value.to) here.report.error('CONFIG_CONTRADICTION', `${here.scope} ends before it begins`, here.where('to'))
      },
    },
  }, 'Things.')
  const report = new Report()
  readFields({ things }, parseKdl('things { thing "a" { type "range"; from 5; to 3 }; thing "b" { type "range" }; thing "c" { type "point" } }', 'x').nodes, report, 'x')
  assert.deepEqual(report.problems.map(({ message, position }) => [message, position.column]), [['thing \'a\' ends before it begins', 47]])
})

test('what is not built may be quiet, and is checked all the same', () => {
  const quiet = { part: optionalBlock({ a: notBuilt(setting(integer(0, 9), 1, 'A.'), { quiet: true }), b: notBuilt(setting(integer(0, 9), 1, 'B.')) }, 'Part.') }
  const report = new Report()
  readFields(quiet, parseKdl('part { a 10; b 1 }', 'x').nodes, report, 'x')
  assert.deepEqual(report.problems.map(({ severity, code }) => `${severity} ${code}`), ['error CONFIG_TYPE', 'warning CONFIG_NOT_BUILT'])
})
