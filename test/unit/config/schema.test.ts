import { strict as assert } from 'node:assert'
import { describe, test } from 'node:test'
import { parseKdl } from '../../../config/kdl/parse.ts'
import type { Fields, Infer } from '../../../config/schema/index.ts'
import {
  anything, block, blocks, bool, duration, integer, json, list, map, named, namedVariants, notBuilt, oneOf, optional, optionalBlock,
  readFields, readJson, ref, regex, Report, required, setting, size, text, toJsonSchema, toMarkdown, watchReads,
} from '../../../config/schema/index.ts'

const fields = {
  mode: setting(oneOf('block', 'log'), 'block', 'What a match means.'),
  limit: required(integer(1, 100), 'How many.'),
  timeout: setting(duration, '1s', 'How long.', { aliases: ['timeout-ms', 'timeout-secs'] }),
  maxBody: setting(size, '1KiB', 'How much.', { aliases: ['max-body-bytes'] }),
  paths: list(text, [], 'Where.', { name: 'path', aliases: ['paths'] }),
  strict: setting(bool, false, 'Whether.'),
  pattern: optional(regex, 'Which.'),
  inner: block({ depth: setting(integer(0, 9), 3, 'How deep.') }, 'Inside.'),
  extra: optionalBlock({ a: setting(text, 'x', 'A.') }, 'By being there.'),
  rules: blocks({ name: required(text, 'Name.'), weight: setting(integer(0, 9), 1, 'Weight.') }, 'Rules.', { name: 'rule', args: ['name'], within: ['rules'] }),
  labels: map(text, 'Labels.'),
  free: json('Whatever.'),
  later: anything('Later.'),
  soon: notBuilt(setting(integer(0, 9), 1, 'Soon.')),
}

interface Read { value: Infer<typeof fields>, problems: string[] }

function read (content: string): Read {
  return readAs(fields, content)
}

function readAs<F extends Fields> (declared: F, content: string): { value: Infer<F>, problems: string[] } {
  const { nodes, problems } = parseKdl(content, '/etc/a.kdl')
  assert.deepEqual(problems, [])
  const report = new Report(declared)
  const value = readFields(declared, nodes, report, '/etc/a.kdl')
  report.resolveReferences()
  // A test that expects problems does not look at the value.
  return { value: value as Infer<F>, problems: report.problems.map(problem => `${problem.position.line}:${problem.position.column} ${problem.code}`) }
}

describe('reading declared settings', () => {
  test('defaults are filled in, written as a user would write them', () => {
    const { value, problems } = read('limit 5')
    assert.deepEqual(problems, [])
    assert.deepEqual(value, {
      mode: 'block', limit: 5, timeout: 1000, maxBody: 1024, paths: [], strict: false, pattern: undefined, inner: { depth: 3 },
      extra: undefined, rules: [], labels: {}, free: undefined,
    })
  })

  test('a wrong default that the compiler did not see fails when the table is loaded', () => {
    // @ts-expect-error: it does not even compile
    assert.throws(() => setting(duration, '5 minutes', 'x'), /the default "5 minutes" is not a duration/)
  })

  test('a name declared twice fails when the table is used', () => {
    assert.throws(() => readJson({ a: setting(bool, true, ''), b: setting(bool, true, '', { aliases: ['a'] }) }, {}), /declared twice/)
  })

  test('spellings with a unit take a plain number, and are noted', () => {
    const { value, problems } = read('limit 5\ntimeout-ms 250\nmax-body-bytes 9')
    assert.deepEqual([value.timeout, value.maxBody, problems], [250, 9, ['2:1 CONFIG_OTHER_SPELLING', '3:1 CONFIG_OTHER_SPELLING']])
    assert.equal(read('limit 5\ntimeout-secs 2').value.timeout, 2000)
    assert.deepEqual(read('limit 5\ntimeout-ms 2.5').problems, ['2:1 CONFIG_OTHER_SPELLING', '2:12 CONFIG_TYPE'])
  })

  test('a bare number counts in the unit that the row names', () => {
    const declared = { connect: setting(duration, '10s', 'x', { bareUnitMs: 1000 }) }
    assert.equal(readAs(declared, 'connect 5').value.connect, 5000)
    assert.equal(readAs(declared, 'connect "5ms"').value.connect, 5)
  })

  test('lists gather values of one line and of several', () => {
    assert.deepEqual(read('limit 5\npath "a" "b"\npath "c"\npaths "d"').value.paths, ['a', 'b', 'c', 'd'])
  })

  test('settings may be properties of their block', () => {
    assert.equal(read('limit 5\ninner depth=7').value.inner.depth, 7)
  })

  test('the short form, the block form and the gathered form of a block mean the same', () => {
    const forms = ['rule "r" weight=2', 'rule "r" { weight 2 }', 'rule name="r" weight=2', 'rule { name "r"; weight 2 }', 'rules { rule "r" weight=2 }']
    for (const form of forms) assert.deepEqual(read(`limit 5\n${form}`).value.rules.map(({ name, weight }) => [name, weight]), [['r', 2]], form)
  })

  test('unknown, repeated, extra, missing and mistyped things are all found in one run', () => {
    const { problems } = read('limt 5\nmode "block"\nmode "log"\nstrict #true #false\npattern "("\ninner { depth 3 { x 1 } }\nrule weight=3\ntimeout\nextra "v"')
    assert.deepEqual(problems.toSorted(), [
      '1:1 CONFIG_UNKNOWN_SETTING', '3:1 CONFIG_REPEATED', '4:14 CONFIG_EXTRA', '5:9 CONFIG_TYPE', '6:19 CONFIG_EXTRA', '7:1 CONFIG_MISSING', '8:1 CONFIG_MISSING', '9:7 CONFIG_EXTRA',
    ])
  })

  test('what is not built is accepted with a warning, and has no value', () => {
    const { value, problems } = read('limit 5\nlater { anything { at 1 } }\nsoon 5')
    assert.deepEqual(problems, ['2:1 CONFIG_NOT_BUILT', '3:1 CONFIG_NOT_BUILT'])
    assert.ok(!('later' in value) && !('soon' in value))
    assert.deepEqual(read('limit 5\nsoon "x"').problems, ['2:6 CONFIG_TYPE', '2:1 CONFIG_NOT_BUILT'])
  })

  test('maps and free blocks keep what was written, with its place', () => {
    const { value } = read('limit 5\nlabels { "A-b" "1"; c "2" }\nfree { x { y 1 2 } }')
    assert.deepEqual(value.labels, { 'A-b': '1', c: '2' })
    assert.deepEqual(value.free?.json, { x: { y: [1, 2] } })
    assert.deepEqual(value.free?.positionOf(['x', 'y', '1']), { file: '/etc/a.kdl', line: 3, column: 16, length: 1 })
  })
})

describe('names and references', () => {
  const declared = {
    groups: named('group', { next: optional(ref('group', 'thing'), 'x') }, 'Groups.'),
    things: named('thing', {}, 'Things.', { min: 1 }),
  }

  test('things are found whatever the order, and several blocks add up', () => {
    const { value, problems } = readAs(declared, 'groups { group "a" { next "t" } }\nthings { thing "t" }\ngroups { group "b" { next "a" } }')
    assert.deepEqual(problems, [])
    assert.deepEqual(value.groups.map(({ id, next }) => [id, next]), [['a', 't'], ['b', 'a']])
  })

  test('an unknown name, a second one and a missing one are errors', () => {
    assert.deepEqual(readAs(declared, 'groups { group "a" { next "x" }; group "a"; group }').problems.toSorted(),
      ['1:1 CONFIG_MISSING', '1:27 CONFIG_UNKNOWN_REFERENCE', '1:40 CONFIG_DUPLICATE_ID', '1:45 CONFIG_MISSING'])
  })

  test('an id that could break a log line or a header is refused', () => {
    for (const id of ['""', '" a"', '"a\\nb"', '5', `"${'x'.repeat(200)}"`]) assert.deepEqual(readAs(declared, `things { thing ${id} }`).problems, ['1:16 CONFIG_TYPE'], id)
  })
})

describe('settings that depend on a word', () => {
  const declared = {
    filters: namedVariants('filter', {
      tag: 'type',
      common: { note: optional(text, 'Note.') },
      of: { agent: { agents: list(text, [], 'Agents.', { name: 'agent' }) }, limit: { rate: required(integer(1, 9), 'Rate.') }, geo: { path: required(text, 'Path.') } },
      notBuilt: ['geo'],
    }, 'Filters.'),
  }

  test('each type has its own settings, and the value is told apart by it', () => {
    const { value, problems } = readAs(declared, 'filters { filter "a" { type "agent"; agent "x" }; filter "b" type="limit" { rate 5; note "n" } }')
    assert.deepEqual(problems, [])
    const seen = value.filters.map(filter => filter.type === 'agent' ? filter.agents : filter.type === 'limit' ? filter.rate : filter.type)
    assert.deepEqual(seen, [['x'], 5])
  })

  test('a setting of another type, an unknown type and no type are errors; a type that is not built is a warning', () => {
    assert.deepEqual(readAs(declared, 'filters {\nfilter "a" { type "agent"; rate 5 }\nfilter "b" { type "agnt" }\nfilter "c"\nfilter "d" { type "geo"; path 1 }\n}').problems,
      ['2:28 CONFIG_UNKNOWN_SETTING', '3:19 CONFIG_TYPE', '4:1 CONFIG_MISSING', '5:19 CONFIG_NOT_BUILT', '5:31 CONFIG_TYPE'])
  })
})

describe('the same fields from JSON', () => {
  test('what the KDL rule makes is read back alike', () => {
    const content = 'limit 5\ntimeout-ms 250\npath "a"\nrule "r" weight=2\nrule "s"\nlabels { a "1" }\ninner { depth 4 }\nextra\nfree { x 1 }'
    const [kdl] = parseKdl(`config { ${content} }`, 'a.kdl').nodes
    assert.ok(kdl !== undefined)
    const { value: holder } = readAs({ config: json('x') }, `config {\n${content.replace('extra\n', 'extra { }\n')}\n}`)
    const result = readJson(fields, holder.config?.json ?? {})
    assert.equal(result.problems, undefined)
    const wanted = read(content.replace('extra\n', 'extra { }\n')).value
    assert.deepEqual(plain(result.value), plain(wanted))
  })

  test('problems carry the path and the same words as in a file', () => {
    const wrong = { limit: 500, mod: 'log', paths: ['a', 5], inner: { depth: 'x' }, rule: [{ '-': 'r' }, { weight: 3 }], pattern: '(' }
    const { problems } = readJson(fields, wrong)
    assert.deepEqual(problems?.map(({ path, hint }) => [path.join('.'), hint ?? '']), [
      ['mod', "did you mean 'mode'?"],
      ['limit', ''],
      ['paths.1', ''],
      ['inner.depth', ''],
      ['rule.1', 'write a text'],
      ['pattern', ''],
    ])
    assert.equal(problems?.find(({ path }) => path[0] === 'limit')?.message, "'limit' must be a whole number from 1 to 100, found 500")
  })

  test('a plain value is taken for a list, and text from the environment for a number', () => {
    const result = readJson(fields, { limit: '7', path: 'a', strict: 'true' })
    assert.deepEqual([result.value?.limit, result.value?.paths, result.value?.strict], [7, ['a'], true])
  })

  test('anything but an object is refused', () => {
    for (const value of [null, 5, 'x', [1]]) assert.equal(readJson(fields, value).problems?.[0]?.message, 'the configuration must be an object')
  })

  test('several plain values make several blocks with one short form', () => {
    assert.deepEqual(readJson(fields, { limit: 1, rule: ['a', 'b'] }).value?.rules.map(rule => rule.name), ['a', 'b'])
  })

  function plain (value: unknown): unknown {
    return JSON.parse(JSON.stringify(value, (key, member: unknown) => key === 'at' ? undefined : member))
  }
})

describe('what is derived', () => {
  test('the reference names each setting with type, default and meaning', () => {
    const page = toMarkdown(fields)
    assert.match(page, /\| `mode` \| word: `block` `log` \| `block` \| What a match means\. \|/)
    assert.match(page, /\| `limit` \| integer, 1 to 100 \| \*\*required\*\* \|/)
    assert.match(page, /`timeout-ms`, `timeout-secs` → `timeout`/)
    assert.match(page, /\| `later` \|.*\*Not in effect yet\.\*/)
    assert.match(page, /\n## `inner`\n[^]*\| `depth` \|/)
  })

  test('the JSON schema knows what is required, and that nothing else is known', () => {
    const schema = toJsonSchema(fields, { title: 'x' })
    assert.deepEqual([schema['required'], schema['additionalProperties'], schema['title']], [['limit'], false, 'x'])
    assert.ok(JSON.stringify(schema).includes('"timeout-ms"'))
  })

  test('a watched value tells what nobody read', () => {
    const { watched, unread } = watchReads({ a: 1, b: { c: 2, d: undefined }, list: [{ e: 1, at: {} }, { e: 2, at: {} }], f: new Map() })
    assert.deepEqual(unread(), ['a', 'b.c', 'b.d', 'f', 'list[].e'])
    assert.equal(watched.b.c, 2)
    assert.deepEqual(watched.list.map(element => element.e), [1, 2])
    assert.deepEqual(unread(), ['a', 'b.d', 'f'])
    for (const look of [() => watched.a, () => watched.b.d, () => watched.f]) look()
    assert.deepEqual(unread(), [])
    assert.equal(watched.list, watched.list, 'the same member is the same object')
  })
})
