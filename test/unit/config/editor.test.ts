import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import test from 'node:test'
import { fromDist, fromRoot } from '../../support/paths.ts'

const folder = (...parts: string[]): string => fromRoot('config', 'editor', ...parts)
const read = (...parts: string[]): string => readFileSync(folder(...parts), 'utf8')

interface Manifest {
  readonly main: string
  readonly dependencies?: object
  readonly contributes: {
    readonly languages: readonly { readonly id: string, readonly configuration: string }[]
    readonly grammars: readonly { readonly language: string, readonly scopeName: string, readonly path: string }[]
    readonly commands: readonly { readonly command: string }[]
    readonly configuration: { readonly properties: Readonly<Record<string, object>> }
  }
  readonly capabilities: { readonly untrustedWorkspaces: { readonly restrictedConfigurations: readonly string[] } }
}

const manifest: Manifest = JSON.parse(read('package.json'))

interface Rule {
  readonly include?: string
  readonly name?: string
  readonly match?: string
  readonly begin?: string
  readonly end?: string
  readonly captures?: Readonly<Record<string, { readonly name: string }>>
  readonly beginCaptures?: Readonly<Record<string, { readonly name: string }>>
  readonly patterns?: readonly Rule[]
}

const grammar: { readonly scopeName: string, readonly patterns: readonly Rule[], readonly repository: Readonly<Record<string, Rule>> } =
  JSON.parse(read('syntaxes', 'kdl.tmLanguage.json'))

test('what the manifest names is there, and it needs no packages', () => {
  const { main, contributes, capabilities } = manifest
  for (const path of [main, ...contributes.languages.map(({ configuration }) => configuration), ...contributes.grammars.map(({ path }) => path)]) {
    assert.ok(existsSync(folder(path)), path)
  }
  assert.equal(manifest.dependencies, undefined)
  assert.equal(contributes.grammars[0]?.scopeName, grammar.scopeName)
  assert.equal(contributes.grammars[0]?.language, contributes.languages[0]?.id)
  const sources = readdirSync(folder()).filter(name => name.endsWith('.mjs')).map(name => read(name)).join('\n')
  for (const { command } of contributes.commands) assert.ok(sources.includes(`'${command}'`), command)
  for (const name of Object.keys(contributes.configuration.properties)) assert.match(sources, new RegExp(`get\\('${name.replace('sentinel.', '')}'`), name)
  // What a folder of unknown origin says must not choose the program.
  assert.deepEqual(capabilities.untrustedWorkspaces.restrictedConfigurations, ['sentinel.path', 'sentinel.arguments'])
})

test('the language configuration is JSON whose patterns compile', () => {
  const configuration: { wordPattern: string, indentationRules: Record<string, string> } = JSON.parse(read('language-configuration.json'))
  assert.equal(new RegExp(configuration.wordPattern).exec('max-body-size "1MiB"')?.[0], 'max-body-size')
  assert.ok(new RegExp(configuration.indentationRules['increaseIndentPattern'] ?? '').test('    route "a" {'))
  assert.ok(!new RegExp(configuration.indentationRules['increaseIndentPattern'] ?? '').test('    target { address "a:1" }'))
  assert.ok(new RegExp(configuration.indentationRules['decreaseIndentPattern'] ?? '').test('    }'))
})

interface Context { readonly rules: readonly Rule[], readonly end?: RegExp, readonly name?: string }

/** What a grammar's rules say of a text, as an editor works them: line by line, the earliest match counts, of several the first rule. */
function tokens (text: string): [string, string][] {
  const out: [string, string][] = []
  const stack: Context[] = [{ rules: flat(grammar.patterns) }]
  const give = (piece: string, name = stack.at(-1)?.name): void => { if (piece.trim() !== '') out.push([piece.trim(), (name ?? '').replace('.sentinel', '')]) }
  for (const line of text.split('\n')) {
    for (let at = 0, steps = 0; at <= line.length && steps < 1000; steps++) {
      const context = stack.at(-1) ?? { rules: [] }
      const next = earliest(line, at, context)
      if (next === undefined) {
        give(line.slice(at))
        break
      }
      const { found, rule } = next
      give(line.slice(at, found.index))
      const captures = rule?.captures ?? rule?.beginCaptures
      if (rule === undefined) {
        give(found[0])
        stack.pop()
      } else if (captures !== undefined) {
        for (const [index, { name }] of Object.entries(captures)) give(found[Number(index)] ?? '', name)
      } else {
        give(found[0], rule.name)
      }
      if (rule?.end !== undefined) {
        const end = new RegExp(rule.end.replace('\\1', found[1] ?? ''), 'g')
        stack.push({ rules: flat(rule.patterns ?? []), end, ...rule.name === undefined ? {} : { name: rule.name } })
      }
      at = found.index + found[0].length
      if (at >= line.length && stack.at(-1)?.end === undefined) break
    }
  }
  return out
}

function flat (rules: readonly Rule[]): Rule[] {
  return rules.flatMap(rule => {
    if (rule.include === undefined) return rule.match === undefined && rule.begin === undefined ? flat(rule.patterns ?? []) : [rule]
    const named = grammar.repository[rule.include.slice(1)]
    assert.ok(named, rule.include)
    return flat([named])
  })
}

function earliest (line: string, at: number, { rules, end }: Context): { found: RegExpExecArray, rule?: Rule } | undefined {
  let best: { found: RegExpExecArray, rule?: Rule } | undefined
  const consider = (pattern: RegExp, rule?: Rule): void => {
    pattern.lastIndex = at
    const found = pattern.exec(line)
    if (found !== null && (best === undefined || found.index < best.found.index)) best = rule === undefined ? { found } : { found, rule }
  }
  if (end !== undefined) consider(end)
  for (const rule of rules) consider(new RegExp(rule.match ?? rule.begin ?? '', 'g'), rule)
  return best
}

test('every pattern of the grammar compiles, and every part it includes is there', () => {
  const all = (rules: readonly Rule[]): Rule[] => rules.flatMap(rule => [rule, ...all(rule.patterns ?? [])])
  for (const rule of all([...grammar.patterns, ...Object.values(grammar.repository)])) {
    for (const pattern of [rule.match, rule.begin, rule.end]) if (pattern !== undefined) assert.ok(new RegExp(pattern))
    if (rule.include !== undefined) assert.ok(grammar.repository[rule.include.slice(1)], rule.include)
    assert.equal(rule.begin === undefined, rule.end === undefined)
  }
})

test('the grammar tells names, values, strings, numbers, properties and comments apart', () => {
  const sample = [
    '// first', 'listeners { // second', '    listener "we\\tb" {', '        port 8_080; enabled #true', '        put size=5 open', '        /-off 1', '    }', '}',
    'pattern #"a"b"# #null -1.5e3 0xFF', 'text """', '  {"not": "a node"}', '  """', 'key "${NAME:-x}" "$${y}"', 'a \\', '  b', '/* c /* d */ e */ f "open', 'g',
  ].join('\n')
  const kinds: Readonly<Record<string, string>> = {
    'entity.name.tag': 'node', 'string.quoted.double': 'string', 'string.quoted.triple': 'triple', 'string.quoted.raw': 'raw', 'string.unquoted': 'bare',
    'constant.numeric': 'number', 'constant.language.boolean': 'boolean', 'constant.language': 'keyword', 'entity.other.attribute-name': 'property',
    'keyword.operator.assignment': '=', 'comment.line.double-slash': 'comment', 'comment.block': 'block comment', 'keyword.control.slashdash': 'slashdash',
    'constant.character.escape': 'escape', 'variable.other.environment': 'variable', 'constant.character.escape.line-continuation': 'continuation',
  }
  const found = tokens(sample).filter(([, name]) => !name.startsWith('punctuation')).map(([text, name]) => `${kinds[name] ?? name} ${text}`)
  assert.deepEqual(found, [
    'comment // first', 'node listeners', 'comment // second', 'node listener', 'string "', 'string we', 'escape \\t', 'string b', 'string "',
    'node port', 'number 8_080', 'node enabled', 'boolean #true', 'node put', 'property size', '= =', 'number 5', 'bare open', 'slashdash /-', 'node off', 'number 1',
    'node pattern', 'raw #"', 'raw a"b', 'raw "#', 'keyword #null', 'number -1.5e3', 'number 0xFF', 'node text', 'triple """', 'triple {"not": "a node"}', 'triple """',
    'node key', 'string "', 'variable ${NAME:-x}', 'string "', 'string "', 'escape $${', 'string y}', 'string "', 'node a', 'continuation \\', 'bare b',
    'block comment /*', 'block comment c', 'block comment /*', 'block comment d', 'block comment */', 'block comment e', 'block comment */', 'bare f', 'string "', 'string open', 'node g',
  ])
})

function drive (...program: readonly string[]): Record<string, unknown> {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', `file://${fromRoot('test/support/editor/stub-vscode.mjs')}`, fromRoot('test/support/editor/drive.mjs'), ...program],
    { encoding: 'utf8', timeout: 60_000 })
  assert.equal(status, 0, stderr)
  return JSON.parse(stdout)
}

test('the extension shows in an editor what the real server says', () => {
  const report = drive(process.execPath, fromDist('proxy', 'main.js'), 'lsp')
  assert.deepEqual(report['errors'], [])
  assert.ok((report['problems'] as unknown[][]).some(([code, severity, line]) => code === 'CONFIG_UNKNOWN_SETTING' && severity === 0 && line === 6))
  assert.ok((report['special'] as string[]).includes('CONFIG_UNKNOWN_SETTING'), 'a file that a setting names')
  assert.equal(report['other'], false)
  assert.equal((report['completion'] as { label: string }).label, 'enabled')
  assert.match(String(report['hover']), /→ upstream `backend`, line 2/)
  assert.deepEqual([report['definition'], report['references'], report['symbols'], report['rename']], [1, 2, ['upstreams', 'routes'], ['main', 'main']])
  assert.deepEqual(report['actions'], ["Write 'enabled'"])
  assert.equal(report['fixed'], true)
})

test('a program that is not there is told once, with the setting to change', () => {
  const { errors } = drive('/nowhere/sentinel', 'lsp')
  assert.equal((errors as string[]).length, 1)
  assert.match(String((errors as string[])[0]), /\/nowhere\/sentinel cannot be started \(ENOENT\).*sentinel\.path/)
})
