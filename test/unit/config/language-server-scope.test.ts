import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import test from 'node:test'
import { TextDocument } from 'vscode-languageserver-textdocument'
import { parseKdl } from '../../../config/kdl/parse.ts'
import type { KdlNode } from '../../../config/kdl/nodes.ts'
import { analyse } from '../../../config/language-server/analysis.ts'
import { completionsAt } from '../../../config/language-server/completion.ts'
import { hoverAt } from '../../../config/language-server/hover.ts'
import { kdlNodes } from '../../../config/language-server/kdl-nodes.ts'
import { definitionAt, referencesAt, renameAt } from '../../../config/language-server/names.ts'
import { readTree } from '../../../config/language-server/tree.ts'
import type { Fields } from '../../../config/schema/index.ts'
import {
  blocks, bool, duration, exported, inert, integer, list, map, named, notBuilt, optional, optionalBlock, ref, required, setting, text, words,
} from '../../../config/schema/index.ts'
import { corpusFiles, corpusIsThere } from '../../support/config-corpus.ts'
import { fromRoot } from '../../support/paths.ts'

const services = named('service', { port: required(integer(1, 65535), 'Where it listens.') }, 'Services.')

/** A language of its own, with everything that a table can say. */
const language: Fields = {
  services,
  users: named('user', {
    of: optional(ref('service'), 'Whom it uses.'),
    also: list(ref('service'), [], 'Others.'),
  }, 'Users.'),
  spaces: named('space', {
    services,
    users: named('user', { of: optional(ref('service'), 'Whom it uses.') }, 'Users.'),
    exports: list(exported('service'), [], 'For everybody.'),
  }, 'Spaces.', { direct: true, namespace: true }),
  labels: map(words(['red', 'blue'], {}), 'Colours.'),
  rules: blocks({ name: required(text, 'Name.'), strict: setting(bool, false, 'How.') }, 'Rules.', { name: 'rule', args: ['name'], within: ['rules'] }),
  server: optionalBlock({
    wait: setting(duration, '1s', 'How long.', { aliases: ['wait-secs'], since: '2.1.0' }),
    token: optional(text, 'Secret.', { secret: true }),
  }, 'A server.', {
    example: 'server {\n    wait "2s"\n}',
    older: { patience: { doc: 'Write `wait`.', into: node => [{ ...node, name: 'wait' }] } },
  }),
  later: notBuilt(setting(integer(0, 9), 1, 'Soon.')),
  gone: inert(bool, 'Nothing.', 'it is always on'),
}

function open (marked: string) {
  const offset = marked.indexOf('|')
  const content = marked.replace('|', '')
  const document = TextDocument.create('file:///a/b.kdl', 'kdl', 1, content)
  const analysis = analyse(content, '/a/b.kdl', language)
  return { offset, document, analysis, labels: () => completionsAt(analysis, document, offset, { snippets: true }).map(({ label }) => label) }
}

const hover = (marked: string): string => {
  const { analysis, document, offset } = open(marked)
  return JSON.stringify(hoverAt(analysis, document, offset)?.contents ?? '')
}

const spaces = `services { service "db" { port 1 } }
space "shop" {
    services { service "web" { port 2 }; service "db" { port 3 } }
    users { user "a" { of "db" }; user "b" { of "web" } }
    exports "web"
}
users { user "c" { of "db"; also "shop:db" "web" } }
`

test('names within namespaces mean the nearest one; full names and exported ones are known everywhere', () => {
  const cases: readonly (readonly [string, string, number])[] = [
    ['user "a" { of "d', 'service "db" { port 3', 3], ['user "c" { of "d', 'service "db" { port 1', 2], ['also "shop:d', 'service "db" { port 3', 3],
    ['"shop:db" "w', 'service "web"', 4], ['exports "w', 'service "web"', 4],
  ]
  for (const [place, definition, count] of cases) {
    const { analysis, document, offset } = open(spaces.replace(place, `${place}|`))
    const found = definitionAt(analysis, document, offset)
    assert.equal(found === undefined ? -1 : document.offsetAt(found.range.start), spaces.indexOf(definition) + 'service '.length, place)
    assert.equal(referencesAt(analysis, document, offset, true).length, count, place)
  }
})

test('renaming keeps the namespaces before a name', () => {
  const { analysis, document, offset } = open(spaces.replace('also "shop:d', 'also "shop:d|'))
  const renamed = TextDocument.applyEdits(document, renameAt(analysis, document, offset, 'store'))
  assert.equal(renamed, spaces.replace('service "db" { port 3', 'service "store" { port 3').replace('user "a" { of "db"', 'user "a" { of "store"').replace('shop:db', 'shop:store'))
})

test('names are offered as they are written at the place', () => {
  assert.deepEqual(open(spaces.replace('user "a" { of "db"', 'user "a" { of "|"')).labels().toSorted(), ['db', 'web'])
  assert.deepEqual(open(spaces.replace('user "c" { of "db"', 'user "c" { of "|"')).labels().toSorted(), ['db', 'shop:db', 'shop:web'])
  assert.deepEqual(open(spaces.replace('exports "web"', 'exports "|"')).labels().toSorted(), ['db', 'web'])
})

test('things without a gathering block, gathering blocks, and what is without effect', () => {
  assert.deepEqual(open('|').labels(), ['services', 'users', 'space', 'labels', 'rule', 'server', 'later'])
  assert.deepEqual(open('rules { | }').labels(), ['rule'])
  assert.deepEqual(open('rule "a" { | }').labels(), ['strict'])
  assert.deepEqual(open('rule { | }').labels(), ['name', 'strict'])
  assert.deepEqual(open('rule "a" strict=|').labels(), ['#true', '#false'])
})

test('free names take the values of their block', () => {
  assert.deepEqual(open('labels { a | }').labels(), ['red', 'blue'])
  assert.deepEqual(open('labels { | }').labels(), [])
})

test('hover: older forms, examples, versions, what is not in effect', () => {
  assert.match(hover('server { pati|ence "1s" }'), /older form.*Write `wait`/)
  assert.match(hover('ser|ver { }'), /```kdl\\nserver \{/)
  assert.match(hover('server { wait-s|ecs 1 }'), /`wait-secs` is another spelling.*Since 2\.1\.0/)
  assert.match(hover('la|ter 1'), /not in effect yet/)
  assert.match(hover('go|ne #true'), /Without effect: it is always on/)
  assert.match(hover('services { service "d|b" { port 1 } }'), /service `db`/)
})

function shape (nodes: readonly KdlNode[]): unknown {
  return nodes.map(({ name, args, props, children }) => [name, args.map(({ value }) => value), props.map(prop => [prop.name, prop.value]), children === undefined ? null : shape(children)])
}

test('the tolerant reading of a valid text is the parser\'s', () => {
  const files = readdirSync(fromRoot('examples'), { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.kdl')).map(name => readFileSync(fromRoot('examples', name), 'utf8'))
  const odd = 'a "x\\ty" #"r"\\" s"# b=#true "c" { d 1_000 -2.5e1; /- e 1\n f /-"no" yes \\ // h\n  31 /-{ g }\n } // i\n/* j { */ "k l" #null\n'
  assert.ok(files.length >= 3)
  for (const content of [...files, odd, spaces]) {
    const { nodes, problems } = parseKdl(content, 'x.kdl')
    assert.deepEqual(problems, [])
    assert.deepEqual(shape(kdlNodes(readTree(content).nodes, 'x.kdl')), shape(nodes))
  }
})

test('so it is for every file of the corpus', { skip: !corpusIsThere }, () => {
  let count = 0
  for (const { name, text: content } of corpusFiles()) {
    const { nodes, problems } = parseKdl(content, name)
    if (problems.length > 0) continue
    count++
    assert.deepEqual(shape(kdlNodes(readTree(content).nodes, name)), shape(nodes), name)
  }
  assert.ok(count > 400, `${count} files`)
})
