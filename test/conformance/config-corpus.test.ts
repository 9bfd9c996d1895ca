/**
 * Configurations of the public documentation of this language, when they lie beside the repository: none may crash or hang the reader,
 * and those of the project's own use cases must come out as known. Then each is damaged at random, to the same end.
 */
import { strict as assert } from 'node:assert'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { sourceRoot } from '../../config/generate.ts'
import type { Loaded } from '../../config/sentinel/index.ts'
import { checkText, printProblems } from '../../config/sentinel/index.ts'

const folder = join(sourceRoot(), '..', 'shared', 'corpus', 'config')
const there = existsSync(folder)
const env = { JWT_SECRET: 'not a secret' }

/** Errors of the complete use cases; the others are pieces that lack listeners or upstreams. */
const known: Readonly<Record<string, readonly string[]>> = {
  'seed-01.kdl': [],
  'seed-04.kdl': [],
  'seed-05.kdl': ['CONFIG_UNKNOWN_REFERENCE', 'CONFIG_UNKNOWN_REFERENCE'],
  'seed-06.kdl': ['CONFIG_UNKNOWN_REFERENCE'],
  'seed-09.kdl': [],
}
const ofPieces = new Set(['CONFIG_MISSING', 'CONFIG_UNKNOWN_REFERENCE'])

function check (file: string, text: string, textOnly = false): Loaded {
  const loaded = checkText(text, file, { env, textOnly })
  printProblems(loaded.problems, loaded.sources)
  return loaded
}

describe('the corpus of configurations', { skip: there ? false : 'it is not beside the repository' }, () => {
  const files = there ? readdirSync(folder).filter(name => name.endsWith('.kdl')).toSorted() : []
  const texts = new Map(files.map(name => [name, readFileSync(join(folder, name), 'utf8')]))

  for (const name of files.filter(file => file.startsWith('seed-'))) {
    test(`${name} comes out as known`, () => {
      // Their certificates and folders are on no machine but their own.
      const errors = check(name, texts.get(name) ?? '', true).problems.filter(problem => problem.severity === 'error').map(problem => problem.code)
      const wanted = known[name]
      if (wanted !== undefined) assert.deepEqual(errors, wanted)
      else assert.ok(errors.every(code => ofPieces.has(code)), errors.join(' '))
    })
  }

  test('every file is read without a crash, and quickly', t => {
    const counts = { loaded: 0, refused: 0, notKdl: 0 }
    for (const [name, text] of texts) {
      const started = performance.now()
      const { config, problems } = check(name, text)
      assert.ok(performance.now() - started < 2000, `${name} takes too long`)
      if (config !== undefined) counts.loaded++
      else if (problems.some(problem => problem.code === 'CONFIG_SYNTAX')) counts.notKdl++
      else counts.refused++
    }
    t.diagnostic(JSON.stringify(counts))
  })

  test('every file is read without a crash when it is damaged', () => {
    const random = randomFrom(20_250_101)
    for (const [name, text] of texts) for (let turn = 0; turn < 4; turn++) check(name, damaged(text, random))
  })
})

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
