/**
 * Real configurations that nobody here wrote, when they lie beside the repository, each with what a good reader says of it. The complete valid
 * ones load, the complete invalid ones are refused with a place, pieces of configurations are put where they belong and judged likewise.
 * Then each is damaged at random: nothing may crash or hang the reader.
 */
import { strict as assert } from 'node:assert'
import { describe, test } from 'node:test'
import type { Loaded, Problem } from '../../config/sentinel/index.ts'
import { checkText, printProblems } from '../../config/sentinel/index.ts'
import type { CorpusFile } from '../support/config-corpus.ts'
import { corpusFiles, corpusIsThere, wrapped } from '../support/config-corpus.ts'

/** Where this language decides otherwise than whoever judged the files, and why. */
const otherwise: Readonly<Record<string, string>> = {
  'docs-examples-namespaces-01.kdl': 'a route names an agent in its filters: that is a filter here',
}

/** Valid pieces that cannot be put together to something valid, and why. */
const unfit: Readonly<Record<string, string>> = {
  'docs-examples-api-validation-03.kdl': 'a schema that looks ahead in an expression, which its own engine does not know either',
  'docs-configuration-file-format-02.kdl': 'an address without a port, to show what nodes look like',
  'srcdoc-crates-config-docs-kdl-format-01.kdl': 'nodes with any values, to show what nodes look like',
  'docs-operations-upgrade-guide-01.kdl': 'the older and the newer form of one thing, side by side',
  'docs-operations-upgrade-guide-02.kdl': 'the older and the newer form of one thing, side by side',
  'rsdoc-crates-config-src-kdl-namespace-05.kdl': 'the content of exports without the block around it',
  'srcdoc-crates-proxy-docs-sticky-sessions-07.kdl': 'the fallback of a balancer, said to belong in a route',
  'test-crates-sim-src-lib-02.kdl': 'a setting that its own test wants refused',
  'test-crates-config-src-kdl-namespace-04.kdl': 'https without certificates, which is an error here',
  'rsdoc-crates-config-src-kdl-namespace-02.kdl': 'https without certificates, which is an error here',
}

/** What a piece lacks is elsewhere: things it names, the rest of a block, other files. */
const ofPieces: ReadonlySet<string> = new Set(['CONFIG_UNKNOWN_REFERENCE', 'CONFIG_MISSING', 'CONFIG_INCLUDE'])

function check (name: string, text: string): Loaded {
  const loaded = checkText(text, name, { env: { JWT_SECRET: 'not a secret' }, textOnly: true })
  printProblems(loaded.problems, loaded.sources)
  return loaded
}

function errorsOf ({ problems }: Loaded): Problem[] {
  return problems.filter(({ severity }) => severity === 'error')
}

/** "..." stands for something that was left out. */
function isElision ({ message }: Problem): boolean {
  return message.includes("'...'")
}

function told (problems: readonly Problem[]): string {
  return problems.map(({ code, message, position: { line } }) => `${line}: ${code}: ${message}`).join('\n')
}

describe('the corpus of configurations', { skip: corpusIsThere ? false : 'it is not beside the repository' }, () => {
  const files = corpusFiles()

  test('every complete valid file loads', t => {
    const complete = files.filter(({ kind, valid }) => kind === 'complete' && valid)
    const wrong = complete.filter(({ name, text }) => errorsOf(check(name, text)).length > 0)
    t.diagnostic(`${complete.length - wrong.length} of ${complete.length}`)
    assert.deepEqual(wrong.map(({ name, text }) => `${name}\n${told(errorsOf(check(name, text)))}`), [])
  })

  test('every complete invalid file is refused with line and column, the source line and a stable code', t => {
    const complete = files.filter(({ kind, valid, class: itsClass }) => kind === 'complete' && !valid && itsClass !== 'template' && itsClass !== 'piece')
    const counted = complete.filter(file => refused(file, check(file.name, file.text)))
    t.diagnostic(`${counted.length} of ${complete.length}; judged otherwise here: ${Object.keys(otherwise).length}`)
    assert.deepEqual(complete.filter(file => !counted.includes(file)).map(({ name }) => name), Object.keys(otherwise))
  })

  test('every valid piece loads where it belongs', t => {
    const pieces = files.filter(({ kind, valid }) => kind === 'fragment' && valid)
    const placed = pieces.flatMap(file => wrapped(file) === undefined ? [] : [{ ...file, text: wrapped(file) ?? '' }])
    const wrong = placed.filter(({ name, text }) => errorsOf(check(name, text)).some(problem => !ofPieces.has(problem.code) && !isElision(problem)))
    t.diagnostic(`${placed.length - wrong.length} of ${placed.length}, and ${pieces.length - placed.length} of which nobody says where they belong`)
    assert.deepEqual(wrong.filter(({ name }) => unfit[name] === undefined).map(({ name, text }) => `${name}\n${told(errorsOf(check(name, text)))}`), [])
    assert.deepEqual(wrong.map(({ name }) => name).toSorted(), Object.keys(unfit).toSorted(), 'what is excused is still wrong')
  })

  test('every invalid piece is refused', t => {
    const pieces = files.filter(({ kind, valid, class: itsClass }) => kind === 'fragment' && !valid && itsClass !== 'template' && itsClass !== 'piece')
    const loaded = pieces.filter(file => !refused(file, check(file.name, wrapped(file) ?? file.text)))
    t.diagnostic(`${pieces.length - loaded.length} of ${pieces.length}`)
    assert.deepEqual(loaded.map(({ name }) => name), [])
  })

  test('every file is read quickly', () => {
    for (const { name, text } of files) {
      const started = performance.now()
      check(name, text)
      assert.ok(performance.now() - started < 2000, `${name} takes too long`)
    }
  })

  test('every file is read without a crash when it is damaged', () => {
    const random = randomFrom(20_250_101)
    for (const { name, text } of files) for (let turn = 0; turn < 4; turn++) check(name, damaged(text, random))
  })
})

function refused ({ name }: CorpusFile, loaded: Loaded): boolean {
  const errors = errorsOf(loaded)
  const printed = printProblems(errors, loaded.sources)
  return errors.length > 0 && errors.every(({ position, code }) => position.line > 0 && position.column > 0 && code.startsWith('CONFIG_')) &&
    printed.includes(`${name}:${errors[0]?.position.line}:${errors[0]?.position.column}: `) && /^ +\| .*\^/m.test(printed)
}

/** The same numbers in every run: a failure can be looked into. */
function randomFrom (seed: number): (below: number) => number {
  let state = seed
  return below => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state % below
  }
}

function damaged (text: string, random: (below: number) => number): string {
  const pieces = ['"', '{', '}', '#', '\\', '[', '/*', '/-', '"""', '#"', ' true ', '=', ';', '\n', '-1', '1e999', '${', '(', '\u0000', '\uD800', 'é']
  let out = text
  for (let turn = random(4); turn >= 0; turn--) {
    const at = random(out.length + 1)
    const cut = random(3) === 0 ? random(40) : 0
    out = out.slice(0, at) + (random(4) === 0 ? '' : pieces[random(pieces.length)] ?? '') + out.slice(at + cut)
  }
  return out
}
