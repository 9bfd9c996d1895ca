import { strict as assert } from 'node:assert'
import { describe, test } from 'node:test'
import type { KdlNode } from '../../../config/kdl/nodes.ts'
import { parseKdl } from '../../../config/kdl/parse.ts'
import { substitute } from '../../../config/kdl/substitute.ts'
import {
  anyText, block, blocks, bool, compareEffective, duration, effective, effectiveEntries, findRow, integer, json, list, listenAddress, map, named, namedVariants,
  notBuilt, optional, optionalBlock, path, printEffective, readFields, ref, Report, required, setting, size, text, words, type Change, type Effective, type Fields,
} from '../../../config/schema/index.ts'
import { checkText, effectiveConfig } from '../../../config/sentinel/index.ts'
import { canonicalKey } from '../../../proxy/lifecycle/leases.ts'
import { corpusFiles, corpusIsThere, wrapped } from '../../support/config-corpus.ts'

const balance = words(['round-robin', 'weighted'], { also: { weighted: ['wrr'] }, notBuilt: { random: 'round-robin' } })

const fields = {
  timeout: setting(duration, '1s', 'How long.', { aliases: ['timeout-ms', 'timeout-secs'], bareUnitMs: 1000 }),
  maxBody: setting(size, '1KiB', 'How much.', { aliases: ['max-body-bytes'] }),
  strict: setting(bool, false, 'Whether.'),
  address: optional(listenAddress, 'Where.'),
  hosts: list(text, [], 'Who.', { name: 'host', aliases: ['hosts'], commas: true }),
  password: optional(text, 'Secret.', { secret: true }),
  file: optional(path, 'Which.'),
  balance: block({ policy: setting(balance, 'round-robin', 'How.'), fallback: setting(bool, true, 'Else.') }, 'How.', { args: ['policy'], aliases: ['balancing'] }),
  extra: optionalBlock({ a: setting(text, 'x', 'A.') }, 'By being there.'),
  rules: blocks({ name: required(text, 'Name.'), weight: setting(integer(0, 9), 1, 'Weight.') }, 'Rules.', { name: 'rule', args: ['name'], within: ['rules'] }),
  labels: map(anyText, 'Labels.'),
  free: json('Whatever.'),
  routes: named('route', { next: optional(ref('route'), 'Next.'), filters: list(text, [], 'Filters.') }, 'Routes.'),
  steps: namedVariants('step', {
    tag: 'type', common: { note: optional(text, 'Note.') }, also: { restrict: 'limit' }, notBuilt: ['geo'],
    of: { limit: { rate: setting(integer(1, 99), 5, 'Rate.') }, geo: { database: required(text, 'Where.') } },
  }, 'Steps.'),
  later: notBuilt(block({ deep: setting(integer(0, 9), 3, 'Deep.') }, 'Later.')),
}

const older = { 'old-timeout': { doc: 'write timeout', into: (node: KdlNode) => [{ ...node, name: 'timeout' }] } }

function treeOf (content: string, env: Record<string, string> = {}): readonly Effective[] {
  const { nodes, problems } = parseKdl(content, '/etc/sentinel/a.kdl')
  assert.deepEqual(problems, [])
  const values = substitute(nodes, { env, problems, secrets: new Set() })
  assert.deepEqual(problems, [])
  const report = new Report(fields)
  readFields(fields, values, report, '/etc/sentinel/a.kdl', { older })
  assert.deepEqual(report.problems.filter(({ severity }) => severity === 'error').map(({ message }) => message), [])
  return effective(fields, values, { folderOf: () => '/etc/sentinel', older, absenceCounts: report.absenceCounts })
}

/** "path value place", for what is given. */
function given (content: string, env: Record<string, string> = {}): string[] {
  return effectiveEntries(treeOf(content, env), { onlyGiven: true })
    .flatMap(({ path: at, value, at: place, inEffect }) => place === undefined ? [] : [`${at} ${JSON.stringify(value)} ${place.line}:${place.column}${inEffect ? '' : ' later'}`])
}

describe('the effective configuration', () => {
  test('without a word in the file it consists of the defaults', () => {
    assert.deepEqual(effectiveEntries(treeOf('')).map(({ path: at, value, at: place }) => [at, value, place]), [
      ['timeout', '1s', undefined], ['max-body', '1KiB', undefined], ['strict', false, undefined],
      ['balance.policy', 'round-robin', undefined], ['balance.fallback', true, undefined],
    ])
  })

  test('values have one spelling, whatever the file writes', () => {
    for (const written of ['timeout "90s"', 'timeout "1m30s"', 'timeout-ms 90000', 'timeout-secs 90', 'timeout 90', 'old-timeout "90s"']) {
      assert.deepEqual(given(written).map(line => line.split(' ').slice(0, 2).join(' ')), ['timeout "90s"'], written)
    }
    assert.deepEqual(given('max-body 10485760; strict #true'), ['max-body "10MiB" 1:1', 'strict true 1:20'])
    assert.deepEqual(given('max-body-bytes 1000'), ['max-body 1000 1:1'])
    assert.deepEqual(given('address ":80"'), ['address "0.0.0.0:80" 1:1'])
    assert.deepEqual(given('file "certs/../a.pem"'), ['file "/etc/sentinel/a.pem" 1:1'])
    assert.deepEqual(given('balancing "WRR"'), ['balance.policy "weighted" 1:11'])
    assert.deepEqual(given('host "a,b"\nhost "c"'), ['host ["a","b","c"] 1:1'])
  })

  test('blocks, things, kinds of things, maps and free blocks have their paths', () => {
    assert.deepEqual(given([
      'rules { rule "a" weight=2; rule "b" }', 'labels { "X y" "1"; z "2" }', 'free { a 1 2; b { c #true } }',
      'routes { route "api" { next "b.c" }; route "b.c" }', 'steps { step "s" { type "Restrict"; rate 7; note "n" } }', 'extra',
    ].join('\n')), [
      'extra {} 6:1', 'rule[0].name "a" 1:14', 'rule[0].weight 2 1:18', 'rule[1].name "b" 1:33', 'labels."X y" "1" 2:10', 'labels.z "2" 2:21',
      'free {"a":[1,2],"b":{"c":true}} 3:1', 'routes.api.next "b.c" 4:24', 'routes."b.c" {} 4:38', 'steps.s.type "limit" 5:20', 'steps.s.note "n" 5:45', 'steps.s.rate 7 5:37',
    ])
  })

  test('what is not built is given and not in effect, with everything in it; its defaults are of no interest', () => {
    assert.deepEqual(given('later { deep 4 }\nsteps { step "g" { type "geo"; database "x" } }\nbalance "random"'), [
      'balance.policy "random" 3:9 later', 'steps.g.type "geo" 2:20 later', 'steps.g.database "x" 2:32 later', 'later.deep 4 1:9 later',
    ])
    assert.deepEqual(given('later'), ['later {} 1:1 later'])
  })

  test('a value from outside never shows, a secret neither', () => {
    const env = { SECRET: 'hunter2', MS: '250' }
    const content = 'password "hunter2"; host "${SECRET}" "x"; labels { a "${SECRET}!" }; free { b "${SECRET}"; c d="${SECRET}" }; timeout-ms "${MS}"; routes { route "${SECRET}" }'
    const tree = treeOf(content, env)
    const shown = [JSON.stringify(effectiveEntries(tree)), JSON.stringify(tree, (key, value: unknown) => key === 'row' || key === 'fields' ? undefined : value), printEffective(tree, { place: () => '' })]
    for (const one of shown) assert.ok(!one.includes('hunter2') && !one.includes('250'), one)
    const printed = printEffective(tree, { place: () => '', onlyGiven: true })
    assert.match(printed, /^password "\(withheld\)" /m)
    assert.match(printed, /^host "\$\{SECRET\}" "x"/m)
    assert.match(printed, /^timeout-ms "\$\{MS\}"/m, 'the unit of a value that nobody looks at stays in the name')
  })

  test('what stands under the name of a secret in free settings is withheld, whatever the block', () => {
    const tree = treeOf('free { api-key "hunter2"; db { user "u"; password "hunter3" }; list "a" token="hunter4" }; labels { X_SECRET "hunter5"; plain "p" }')
    const printed = printEffective(tree, { place: () => '', onlyGiven: true })
    for (const shown of [printed, JSON.stringify(effectiveEntries(tree))]) {
      assert.ok(!shown.includes('hunter'), shown)
      assert.match(shown, /withheld/)
      assert.match(shown, /user/)
    }
    assert.ok(effectiveEntries(tree).some(({ path, hidden }) => path === 'free' && hidden === 'withheld'))
  })

  test('printed it is a configuration that means the same', () => {
    const content = [
      'balance "wrr" { fallback #false }', 'rules { rule "a\\"b" weight=2 }', 'free { a "$${x}" (t)1; "true" -0.5 1e3 #null; b "\\\\d+\\n" "^\\\\d$" }',
      'labels { "${}" "\\u{7}" }', 'routes { route "a" { filters "x" "y" } }', 'steps { step "s" { type "limit" } }', 'later { deep 1 }',
    ].join('\n').replace('(t)', '')
    const once = printEffective(treeOf(content), { place: at => `a.kdl:${at.line}` })
    const twice = printEffective(treeOf(once), { place: at => `a.kdl:${at.line}` })
    const plain = (printed: string): string => printed.replaceAll(/ *\/\/ .*$/gm, '')
    assert.equal(plain(twice), plain(once))
    assert.deepEqual(effectiveEntries(treeOf(once)).map(({ path: at, value }) => [at, value]), effectiveEntries(treeOf(content)).map(({ path: at, value }) => [at, value]))
    assert.match(once, /^balance "weighted" \{ +\/\/ a\.kdl:1$/m)
    assert.match(once, /^timeout "1s" +\/\/ default$/m)
    assert.match(once, /^later \{ +\/\/ a\.kdl:7, not in effect yet$/m)
  })

  test('a configuration of several files: each path starts at its own file, each place names it', () => {
    const nodes = [parseKdl('timeout "5s"', '/etc/main.kdl'), parseKdl('file "a.pem"', '/etc/parts/tls.kdl')].flatMap(parsed => parsed.nodes)
    const tree = effective(fields, nodes, { folderOf: file => file.slice(0, file.lastIndexOf('/')), file: '/etc/main.kdl' })
    const printed = printEffective(tree, { onlyGiven: true, place: at => `${at.file}:${at.line}` })
    assert.equal(printed.replaceAll(/ {2,}/g, '  '), 'timeout "5s"  // /etc/main.kdl:1\nfile "/etc/parts/a.pem"  // /etc/parts/tls.kdl:1\n')
  })

  test('a default whose absence counts stands as a comment: written out it would mean something else', () => {
    const declared: Fields = { web: block({ protocol: setting(text, 'http', 'P.'), port: setting(integer(1, 9), 1, 'P.') }, 'W.', { build: (value, here) => ({ ...value, own: here.given('protocol') }) }) }
    const { nodes } = parseKdl('web { port 2 }', 'a.kdl')
    const report = new Report(declared)
    readFields(declared, nodes, report, 'a.kdl')
    const printed = printEffective(effective(declared, nodes, { folderOf: () => '/', absenceCounts: report.absenceCounts }), { place: () => 'here' })
    assert.match(printed, /^ {4}\/\/ protocol "http" +\/\/ default, unless/m)
  })

  test('every real configuration means the same when its effective form is read', { skip: corpusIsThere ? false : 'the corpus is not here' }, () => {
    let read = 0
    const meaning = (value: object): string => canonicalKey('', value).replaceAll(/"text":"[^"]*",?/g, '').replaceAll(/,\}/g, '}')
    for (const file of corpusFiles()) {
      const content = file.kind === 'complete' ? file.text : wrapped(file)
      if (content === undefined) continue
      const loaded = checkText(content, '/etc/a.kdl', { env: {}, textOnly: true })
      if (loaded.config === undefined) continue
      const tree = effectiveConfig(loaded)
      // A secret that stands in the text itself is lost, and may have been of a certain form.
      if (effectiveEntries(tree).some(({ hidden }) => hidden === 'withheld')) continue
      read++
      const printed = printEffective(tree, { place: at => `a.kdl:${at.line}` })
      const again = checkText(printed, '/etc/a.kdl', { env: {}, textOnly: true })
      assert.ok(again.config, `${file.name}: ${again.problems.find(({ severity }) => severity === 'error')?.message ?? ''}`)
      assert.equal(meaning(again.config), meaning(loaded.config), file.name)
    }
    assert.ok(read > 50, `only ${read} were read`)
  })
})

describe('comparing', () => {
  function changes (old: string, next: string): string[] {
    return compareEffective(treeOf(old), treeOf(next)).map(({ kind, path: at, old: was, new: is, after, before }: Change) =>
      [kind, at, was, is === undefined ? undefined : `→ ${is}`, kind === 'moved' && was === undefined ? `after ${after ?? '-'} was after ${before ?? '-'}` : undefined].filter(part => part !== undefined).join(' '))
  }

  test('spelling, comments, order of settings and written defaults are no difference', () => {
    assert.deepEqual(changes('timeout "60s"; host "a" "b"; routes { route "x" }; strict #false', '// other\nhosts "a"\nroutes {\n route "x" {}\n}\nhost "b"\ntimeout-ms 60000\nmax-body "1KiB"'), [])
  })

  test('added, removed and changed, with the values of both', () => {
    assert.deepEqual(changes('timeout "1s"; password "a"; host "x" "y"; extra', 'timeout "2s"; password "b"; host "y" "x"; file "/f"; labels { a "1" }'), [
      'changed timeout "1s" → "2s"', 'moved host "x" "y" → "y" "x"', 'changed password "(withheld)" → "(withheld)"', 'removed extra', 'added file → "/f"', 'added labels',
    ])
    assert.deepEqual(changes('free { a 1; b { c 2; d 3 } }', 'free { a 1; b { c 4; e 5 } }'), ['changed free.b.c 2 → 4', 'removed free.b.d 3', 'added free.b.e → 5'])
    assert.deepEqual(changes('free { db { password "a" }; on token="a" }; labels { api-token "a" }', 'free { db { password "b" }; on token="b" }; labels { api-token "b" }'), [
      'changed labels.api-token "(withheld)" → "(withheld)"', 'changed free.db.password "(withheld)" → "(withheld)"', 'changed free.on.token "(withheld)" → "(withheld)"',
    ])
  })

  test('things are the same by their names, repeated blocks by their first value; of both the order counts', () => {
    const three = 'routes { route "a"; route "b"; route "c" }'
    assert.deepEqual(changes(three, 'routes { route "c"; route "a"; route "b" { filters "f" } }'), ['added routes.b.filters → "f"', 'moved routes.c after - was after route "b"'])
    assert.deepEqual(changes(three, 'routes { route "b"; route "d" }'), ['removed routes.a', 'removed routes.c', 'added routes.d'])
    assert.deepEqual(changes('rule "a" weight=2\nrule "b"', 'rule "b"\nrule "a" weight=3'), ['changed rule[1].weight 2 → 3', 'moved rule[0] after - was after rule "a"'])
    assert.deepEqual(changes('steps { step "a" { type "limit" }; step "b" { type "limit" } }', 'steps { step "b" { type "limit" }; step "a" { type "limit" } }'), [])
  })
})

describe('finding a row by its path', () => {
  test('whole, without kinds, or only its end', () => {
    for (const wanted of ['routes.route.next', 'routes.next', 'route.next', 'next', 'routes › route › next']) {
      const { found } = findRow(fields, wanted)
      assert.deepEqual(found?.path, ['routes', 'route', 'next'], wanted)
    }
    assert.deepEqual(findRow(fields, 'balancing').found?.path, ['balance'])
    assert.deepEqual(findRow(fields, 'rate').found?.path, ['steps', 'step', 'limit', 'rate'])
    assert.deepEqual(findRow(fields, 'timeot'), { hint: "did you mean 'timeout'?" })
    assert.deepEqual(findRow(fields, 'qqqqqqqqqq'), { hint: undefined })
  })
})
