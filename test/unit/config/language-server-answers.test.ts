import assert from 'node:assert/strict'
import test from 'node:test'
import { TextDocument } from 'vscode-languageserver-textdocument'
import { actionsFor } from '../../../config/language-server/actions.ts'
import { analyse } from '../../../config/language-server/analysis.ts'
import { completionsAt } from '../../../config/language-server/completion.ts'
import { diagnosticsOf } from '../../../config/language-server/diagnostics.ts'
import { hoverAt } from '../../../config/language-server/hover.ts'
import { definitionAt, referencesAt, renameableAt, renameAt } from '../../../config/language-server/names.ts'
import { symbolsOf } from '../../../config/language-server/symbols.ts'
import { namesOf, settingName } from '../../../config/schema/index.ts'
import { table } from '../../../config/sentinel/index.ts'
import { processorMs } from '../../support/processor-time.ts'

const file = '/etc/sentinel/sentinel.kdl'

function open (marked: string) {
  const offset = marked.indexOf('|')
  const text = marked.replace('|', '')
  return { offset, analysis: analyse(text, file), document: TextDocument.create('file:///etc/sentinel/sentinel.kdl', 'kdl', 1, text) }
}

/** Labels of what is offered at the `|`, with `label=inserted text` for `wanted`. */
function offers (marked: string, snippets = true): { labels: string[], text: (label: string) => string | undefined } {
  const { analysis, document, offset } = open(marked)
  const items = completionsAt(analysis, document, offset, { snippets })
  return {
    labels: items.map(({ label }) => label),
    text (label) {
      const item = items.find(candidate => candidate.label === label)
      return item?.textEdit === undefined || !('range' in item.textEdit) ? undefined : TextDocument.applyEdits(document, [item.textEdit])
    },
  }
}

const two = 'upstreams {\n    upstream "backend" { target "127.0.0.1:1" }\n    upstream "canary" { target "127.0.0.1:2" }\n}\n'

test('an empty text offers every block of the language, in its preferred spelling', () => {
  const { labels } = offers('|')
  for (const name of ['listeners', 'routes', 'upstreams', 'filters', 'agents', 'observability', 'limits', 'system']) assert.ok(labels.includes(name), name)
  const preferred = new Set(Object.entries(table).flatMap(([key, field]) => [settingName(key, field), field.row.kind]))
  assert.deepEqual(labels.filter(label => !preferred.has(label)), [])
})

test('what is offered follows from the table alone: every setting of a listener that is not without effect for good, and no alias', () => {
  const { labels } = offers('listeners {\n    listener "web" {\n        |\n    }\n}\n')
  const fields = table.listeners.row.fields ?? {}
  assert.deepEqual(labels.toSorted(), Object.entries(fields).filter(([, field]) => field.row.inert === undefined).map(([key, field]) => settingName(key, field)).toSorted())
  assert.ok([...namesOf(fields).keys()].length > labels.length, 'a listener has aliases')
})

test('what may stand once is not offered again, in whatever spelling it is given', () => {
  const { labels } = offers('listeners {\n    listener "web" {\n        bind-address "127.0.0.1:80"\n        protocol "http"\n        trusted-proxies "10.0.0.0/8"\n        |\n')
  assert.ok(!labels.includes('address') && !labels.includes('protocol'))
  assert.ok(labels.includes('trusted-proxies') && labels.includes('request-timeout'))
})

test('the name that is being corrected is offered itself', () => {
  assert.ok(offers('listeners {\n    listener "web" {\n        proto|col "http"\n').labels.includes('protocol'))
})

test('a block that gathers others offers nothing else', () => {
  assert.deepEqual(offers('routes {\n    |\n}\n').labels, ['route'])
  assert.deepEqual(offers('upstreams {\n    upstream "a" {\n        targets {\n            |\n').labels, ['target'])
})

test('things come with a place for their name and what has to be given; without snippets as a plain name', () => {
  assert.equal(offers('listeners {\n    |\n}\n').text('listener'), 'listeners {\n    listener "${1:name}" {\n    address "$2"\n    $0\n}\n}\n')
  assert.equal(offers('listeners {\n    |\n}\n', false).text('listener'), 'listeners {\n    listener\n}\n')
  assert.match(offers('filters {\n    fil|\n}\n').text('filter') ?? '', /^filters \{\n {4}filter "\$\{1:name\}" \{\n {4}type "\$\{2\|agent,/)
  assert.equal(offers('listeners { listener "a" { | } }').text('protocol'), 'listeners { listener "a" { protocol "${1|http,https,h2|}" } }')
  // What is there already is kept.
  assert.equal(offers('listeners { listener "a" { proto| "http" } }').text('protocol'), 'listeners { listener "a" { protocol "http" } }')
})

test('words of a setting, with quotes where none are', () => {
  const around = (value: string): string => `listeners { listener "a" {\n protocol ${value}\n} }`
  for (const value of ['|', '"|', '"|"', 'ht|', '"ht|', '"ht|tp"']) {
    const { labels, text } = offers(around(value))
    assert.deepEqual(labels.slice(0, 2), ['http', 'https'], value)
    assert.equal(text('https'), around('"https"').replace(/\n\}/, value.includes('"|"') ? '\n}' : '\n}'), value)
  }
  assert.deepEqual(offers(around('"http"|')).labels, [])
  assert.deepEqual(offers(around('"http" |')).labels, [])
})

test('truth values, defaults, words behind the name of a block and in properties', () => {
  assert.deepEqual(offers('routes { route "a" { enabled | } }').labels, ['#true', '#false'])
  assert.deepEqual(offers('listeners { listener "a" { request-timeout | } }').labels, ['60s'])
  assert.ok(offers('agents { agent "a" { transport "|" } }').labels.includes('unix-socket'))
  assert.deepEqual(offers('agents { agent "a" failure-mode=| { } }').labels, ['closed', 'open'])
})

test('names are offered where they are wanted, also while the text is broken', () => {
  for (const value of ['|', '"|', '"|"', 'ca|']) {
    assert.deepEqual(offers(`${two}routes {\n    route "a" {\n        upstream ${value}\n    }\n}\n`).labels, ['backend', 'canary'], value)
    assert.deepEqual(offers(`${two}routes {\n    route "a" {\n        upstream ${value}\n`).labels, ['backend', 'canary'], value)
  }
  assert.deepEqual(offers(`${two}routes { route "a" { other-upstreams "canary" "|" } }`).labels, ['backend'])
})

test('a filter offers its types, and then the settings of its type', () => {
  const types = Object.keys(table.filters.row.variants?.of ?? {})
  assert.deepEqual(offers('filters { filter "x" { type "|" } }').labels.filter(label => types.includes(label)), types)
  assert.deepEqual(offers('filters { filter "x" { | } }').labels, ['type', ...Object.keys(table.filters.row.fields ?? {}).filter(name => name !== 'type')])
  const { labels } = offers('filters { filter "x" { type "agent"; | } }')
  assert.ok(labels.includes('agent') && labels.includes('failure-mode') && !labels.includes('type'))
})

test('nothing is offered in comments, in names of things and in somebody else\'s settings', () => {
  assert.deepEqual(offers('// lis|').labels, [])
  assert.deepEqual(offers('routes { route "|" { } }').labels, [])
  assert.deepEqual(offers('agents { agent "a" { config { | } } }').labels, [])
})

function hover (marked: string): string {
  const { analysis, document, offset } = open(marked)
  const found = hoverAt(analysis, document, offset)?.contents
  return found !== undefined && typeof found === 'object' && 'value' in found ? found.value : ''
}

test('hover tells what the table says of a setting, in any spelling', () => {
  const text = hover('listeners { listener "a" { request-time|out-secs 5 } }')
  assert.match(text, /`request-timeout-secs` is another spelling/)
  assert.match(text, /\*\*request-timeout\*\* `duration`/)
  assert.match(text, /Without it: `60s`/)
  assert.match(text, /Also written: `request-timeout-secs`/)
  assert.ok(text.includes(table.listeners.row.fields?.['requestTimeout']?.row.doc ?? '?'))
  assert.match(hover('listeners { listener "a" { protocol "ht|tp" } }'), /Words: `http` `https`/)
  assert.match(hover('agents { agent "a" failure-mo|de="open" { } }'), /\*\*failure-mode\*\*/)
  assert.equal(hover('something { el|se }'), '')
})

test('hover on a name tells what it stands for and where that is', () => {
  assert.match(hover(`${two}routes { route "a" { upstream "can|ary" } }`), /→ upstream `canary`, line 3/)
  assert.match(hover(two.replace('canary', 'can|ary')), /upstream `canary`/)
})

function textAt (document: TextDocument, range: { start: { line: number, character: number }, end: { line: number, character: number } }): string {
  return `${range.start.line + 1}:${document.getText(range)}`
}

const linked = `${two}agents {\n    agent "auth" { unix-socket "/run/a.sock" }\n}\nfilters {\n    filter "ask" { type "agent"; agent "auth" }\n}\nroutes {\n` +
  '    route "a" {\n        matches { path-prefix "/" }\n        upstream "canary"\n        filters "ask" "auth"\n    }\n    route "b" {\n        upstream canary\n'

function marked (text: string, before: string): { offset: number, analysis: ReturnType<typeof analyse>, document: TextDocument } {
  return open(text.replace(before, `${before}|`))
}

test('definitions and references of everything that has a name, in a text whose end is missing', () => {
  const wanted: readonly (readonly [string, string, readonly string[]])[] = [
    ['        upstream "can', '3:"canary"', ['3:"canary"', '14:"canary"', '18:canary']],
    ['upstream can', '3:"canary"', ['3:"canary"', '14:"canary"', '18:canary']],
    ['filters "as', '9:"ask"', ['9:"ask"', '15:"ask"']],
    ['"ask" "au', '6:"auth"', ['6:"auth"', '9:"auth"', '15:"auth"']],
    ['agent "au', '6:"auth"', ['6:"auth"', '9:"auth"', '15:"auth"']],
  ]
  for (const [place, definition, references] of wanted) {
    const { offset, analysis, document } = marked(linked, place)
    const found = definitionAt(analysis, document, offset)
    assert.equal(found === undefined ? undefined : textAt(document, found.range), definition, place)
    assert.deepEqual(referencesAt(analysis, document, offset, true).map(({ range }) => textAt(document, range)), references, place)
    assert.equal(referencesAt(analysis, document, offset, false).length, references.length - 1)
  }
  const { analysis, document } = open(linked)
  assert.equal(definitionAt(analysis, document, linked.indexOf('path-prefix')), undefined)
})

test('renaming changes the definition and every reference, and adds quotes where the new name needs them', () => {
  const { offset, analysis, document } = marked(linked, 'filters "ask" "au')
  assert.deepEqual(renameableAt(analysis, offset), { from: offset - 2, to: offset + 2 })
  assert.equal(TextDocument.applyEdits(document, renameAt(analysis, document, offset, 'login')), linked.replaceAll('"auth"', '"login"'))
  const other = marked(linked, 'upstream can')
  const renamed = TextDocument.applyEdits(other.document, renameAt(other.analysis, other.document, other.offset, 'the canary'))
  assert.equal(renamed, linked.replaceAll('"canary"', '"the canary"').replace('upstream canary', 'upstream "the canary"'))
  assert.throws(() => renameAt(other.analysis, other.document, other.offset, 'backend'), /another upstream named 'backend'/)
  for (const bad of ['', 'a"b', 'a:b', ' a', 'a\nb']) assert.throws(() => renameAt(other.analysis, other.document, other.offset, bad), /a name is a text/, JSON.stringify(bad))
})

test('the outline has blocks, things by their names, and settings with their values', () => {
  const { analysis, document } = open(linked)
  const names = (list: ReturnType<typeof symbolsOf>): unknown[] => list.map(({ name, detail, children }) => [name, detail, ...children?.length ? [names(children)] : []])
  assert.deepEqual(names(symbolsOf(analysis, document)).slice(0, 2), [
    ['upstreams', '', [['backend', 'upstream', [['target', '127.0.0.1:1']]], ['canary', 'upstream', [['target', '127.0.0.1:2']]]]],
    ['agents', '', [['auth', 'agent', [['unix-socket', '/run/a.sock']]]]],
  ])
  for (const symbol of symbolsOf(analysis, document)) {
    assert.ok(document.offsetAt(symbol.selectionRange.end) <= document.offsetAt(symbol.range.end), symbol.name)
  }
})

test('problems stand where they are, with what the check says; the environment and the disk have no say', () => {
  const text = '\uFEFF// \u{1F600}\nlisteners {\n    listener "\u{1F600}" { address "127.0.0.1:80"; protocl "http"; tls { cert-file "/nowhere/a"; key-file "/nowhere/${KEY}" } }\n}\n'
  const document = TextDocument.create('file:///etc/sentinel/sentinel.kdl', 'kdl', 1, text)
  const errors = diagnosticsOf(document, file).filter(({ severity }) => severity === 1)
  assert.deepEqual(errors.map(({ code, range, source }) => [code, document.getText(range), source]), [['CONFIG_UNKNOWN_SETTING', 'protocl', 'sentinel']])
  assert.match(String(errors[0]?.message), /did you mean 'protocol'\?/)
})

test('twice the same: the other place is told, too; other spellings are struck out', () => {
  const text = `${two}upstreams { upstream "canary" { targets { target "127.0.0.1:3" }; load-balancer "random" } }\n`
  const document = TextDocument.create('file:///etc/sentinel/sentinel.kdl', 'kdl', 1, text)
  const found = diagnosticsOf(document, file)
  const twice = found.find(({ code }) => code === 'CONFIG_DUPLICATE_ID')
  assert.equal(twice?.relatedInformation?.[0]?.location.range.start.line, 2)
  assert.deepEqual(found.find(({ code }) => code === 'CONFIG_OTHER_SPELLING')?.tags, [2])
})

const fixes: readonly (readonly [string, string])[] = [
  ['listeners { listener "a" { bind-address "127.0.0.1:80" } }', 'listeners { listener "a" { address "127.0.0.1:80" } }'],
  ['listeners { listener "a" { address "127.0.0.1:80"; request-timeout-secs 90 } }', 'listeners { listener "a" { address "127.0.0.1:80"; request-timeout "90s" } }'],
  ['listeners { listener "a" { addres "127.0.0.1:80" } }', 'listeners { listener "a" { address "127.0.0.1:80" } }'],
  ['listeners { listener "a" { address "127.0.0.1:80"; protocol "htps" } }', 'listeners { listener "a" { address "127.0.0.1:80"; protocol "https" } }'],
  ['listenrs { listener "a" { address "127.0.0.1:80" } }', 'listeners { listener "a" { address "127.0.0.1:80" } }'],
  ['routes { route "a" { enabled "yes" } }', 'routes { route "a" { enabled #true } }'],
  ['routes { route "a" { enabled true } }', 'routes { route "a" { enabled #true } }'],
  ['upstreams { upstream "a" { target "a:1" weight="5" } }', 'upstreams { upstream "a" { target "a:1" weight=5 } }'],
  [`${two}routes { route "a" { upstream "canry" } }`, `${two}routes { route "a" { upstream "canary" } }`],
  ['limits { max-body-size 10MiB }', 'limits { max-body-size "10MiB" }'],
]

for (const [text, fixed] of fixes) {
  test(`fix: ${text.slice(-60)}`, () => {
    const { analysis, document } = open(text + '|')
    const actions = actionsFor(analysis, document, diagnosticsOf(document, file))
    const edits = actions.map(({ edit }) => edit?.changes?.[document.uri] ?? [])
    assert.ok(edits.some(edit => TextDocument.applyEdits(document, edit) === fixed), `${edits.map(edit => TextDocument.applyEdits(document, edit)).join('\n')}\nof ${JSON.stringify(diagnosticsOf(document, file).map(({ message }) => message))}`)
  })
}

test('every question has an answer at every place of a text, whole or cut off', () => {
  for (let end = 0; end <= linked.length; end += 7) {
    const { analysis, document } = open(`${linked.slice(0, end)}|`)
    for (let offset = Math.max(0, end - 30); offset <= end; offset++) {
      completionsAt(analysis, document, offset, { snippets: true })
      hoverAt(analysis, document, offset)
      definitionAt(analysis, document, offset)
    }
    symbolsOf(analysis, document)
    actionsFor(analysis, document, diagnosticsOf(document, file))
  }
})

test('a text that is too large is said to be, and costs nothing else', () => {
  const { analysis, document, offset } = open(`${'// a line of nothing\n'.repeat(500_000)}listeners { | }`)
  const ms = processorMs(() => {
    assert.deepEqual(diagnosticsOf(document, file).map(({ code }) => code), ['CONFIG_UNREADABLE'])
    assert.equal(hoverAt(analysis, document, offset), undefined)
  })
  assert.ok(ms < 2000, `${ms} ms`)
})
