import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, dirname, extname, join } from 'node:path'
import test from 'node:test'
import type { SourceFile } from '../support/architecture/check.ts'
import { scan } from '../support/architecture/scan.ts'
import { isGenerated, sourceFiles } from '../support/architecture/sources.ts'
import { fromRoot, root } from '../support/paths.ts'

const maxLines = 500
const maxColumns = 160
const files = sourceFiles()
const written = files.filter((file) => !isGenerated(file))
const typeScript = written.filter(({ path }) => path.endsWith('.ts'))

/** "path:line" of every line that `wrong` finds something wrong with. */
function lines (from: readonly SourceFile[], wrong: (line: string) => boolean): string[] {
  return from.flatMap(({ path, text }) => {
    return text.split('\n').flatMap((line, index) => wrong(line) ? [`${path}:${index + 1}`] : [])
  })
}

/** "path:line" wherever these tokens follow one another: never in a comment, a string or a regular expression. */
function sequences (from: readonly SourceFile[], ...wanted: string[]): string[] {
  return from.flatMap(({ path, text }) => {
    const tokens = scan(text)
    return tokens.flatMap((token, at) => {
      const here = wanted.every((word, offset) => tokens[at + offset]?.kind !== 'string' && tokens[at + offset]?.text === word)
      return here ? [`${path}:${token.line}`] : []
    })
  })
}

test(`no file is longer than ${maxLines} lines`, () => {
  // Tests list cases; what is long there is a table.
  const long = written.filter(({ path, text }) => text.split('\n').length - 1 > maxLines * (path.startsWith('test/') ? 2 : 1))
  assert.deepEqual(long.map(({ path }) => path), [])
})

test(`no line of code is longer than ${maxColumns} columns, the text in quotes not counted`, () => {
  // A row of a table stays one row however long its sentence or its pattern is.
  const withoutTexts = (line: string): string => line.replace(/'(?:\\.|[^'\\])*'|`(?:\\.|[^`\\])*`|\/(?:\\.|[^/\\])+\/[a-z]*/g, '')
  const notTests = written.filter(({ path }) => !path.startsWith('test/'))
  assert.deepEqual(lines(notTests, (line) => withoutTexts(line).length > maxColumns), [])
})

test('what is made for each request is no object literal with a getter: each would have a hidden class of its own, which keeps what the getter sees', () => {
  const perRequest = /^proxy\/(pipeline|decisions|filters|upstreams|listeners|http1|http2|websocket|cache|services)\//
  assert.deepEqual(lines(written.filter(({ path }) => perRequest.test(path)), (line) => /(?:^ {4,}|[{,] )[gs]et \w+ \(/.test(line)), [])
})

test('files and folders are named in kebab-case after what they hold', () => {
  const badNames = files.filter(({ path }) => path.split('/').some((part) => !/^\.?[a-z0-9]+([-.][a-z0-9]+)*$/.test(part)))
  assert.deepEqual(badNames.map(({ path }) => path), [])
})

test('nothing is called utils, helpers, common, misc or shared: a helper lives with its subject', () => {
  const vague = /(^|\/)(utils?|helpers?|common|misc|shared)(\/|\.)/
  assert.deepEqual(files.filter(({ path }) => vague.test(path)).map(({ path }) => path), [])
})

test('no export *: what a file offers can be read in it, unless it hands on what was generated', () => {
  const generated = new Set(files.filter(isGenerated).map(({ path }) => path))
  const opaque = typeScript.flatMap(({ path, text }) => {
    const handsOn = [...text.matchAll(/^export \* from '([^']+)'/gm)].filter(([, from]) => generated.has(join(dirname(path), from ?? '')))
    return sequences([{ path, text }], 'export', '*').length > handsOn.length ? [path] : []
  })
  assert.deepEqual(opaque, [])
})

test('no EventEmitter between our own modules', () => {
  assert.deepEqual([...sequences(typeScript, 'extends', 'EventEmitter'), ...sequences(typeScript, 'new', 'EventEmitter')], [])
})

test('no statement ends with a semicolon', () => {
  const ends = written.flatMap(({ path, text }) => {
    const tokens = scan(text)
    return tokens.flatMap((token, at) => {
      const lastOnLine = tokens[at + 1] === undefined || tokens[at + 1]?.line !== token.line
      return token.kind === 'mark' && token.text === ';' && lastOnLine ? [`${path}:${token.line}`] : []
    })
  })
  assert.deepEqual(ends, [])
})

test('a rule is switched off only for one line, by name, with the reason beside it', () => {
  const silent = files.flatMap(({ path, text }) => {
    const all = text.split('\n')
    return all.flatMap((line, at) => {
      const order = /(?:oxlint|eslint)-disable(-next-line|-line)?\b(.*)/.exec(line)
      if (order === null || path.endsWith('house-rules.test.ts')) return []
      const named = /^ [a-z-]+[/a-z-]*/.test(order[2] ?? '')
      const reason = /-- \S/.test(line) || /^\s*\/\//.test(all[at - 1] ?? '')
      return order[1] !== undefined && named && reason ? [] : [`${path}:${at + 1}`]
    })
  })
  assert.deepEqual(silent, [])
})

test('no file names a folder of the machine it was written on', () => {
  const texts = [...files, ...['README.md', 'ARCHITECTURE.md', 'SECURITY.md', 'CHANGELOG.md', 'package.json', '.npmrc', '.oxlintrc.json', '.ci/run']
    .filter((path) => existsSync(fromRoot(path)))
    .map((path) => ({ path, text: readFileSync(fromRoot(path), 'utf8') }))]
  // A home of "/root" is in every attack list; a checkout's own path and a person's home are in none.
  const homes = [root, homedir()].filter((folder) => folder.split('/').length > 2)
  const elsewhere = /(^|[\s'"`(=])\/(Users|work)\/[a-z]/
  assert.deepEqual(lines(texts, (line) => elsewhere.test(line) || homes.some((folder) => line.includes(folder))), [])
})

test('installing depends on no particular registry: neither the lock file nor .npmrc names a host', () => {
  const named = ['package-lock.json', '.npmrc'].filter((path) => existsSync(fromRoot(path)))
    .filter((path) => /"resolved"|^\s*(@[\w-]+:)?registry\s*=|\/\/[^/]+\/:_auth/m.test(readFileSync(fromRoot(path), 'utf8')))
  assert.deepEqual(named, [])
})

test('the lock file has every package it mentions, so that npm ci works on every platform', () => {
  const lock: { packages: Record<string, { optionalDependencies?: Record<string, string> }> } = JSON.parse(readFileSync(fromRoot('package-lock.json'), 'utf8'))
  const missing = Object.entries(lock.packages).flatMap(([path, entry]) => {
    const nearby = (name: string): boolean => `node_modules/${name}` in lock.packages || `${path}/node_modules/${name}` in lock.packages
    return Object.keys(entry.optionalDependencies ?? {}).filter((name) => !nearby(name)).map((name) => `${basename(path)} → ${name}`)
  })
  assert.deepEqual(missing, [])
})

test('sources are TypeScript; what runs before the build is .mjs', () => {
  const other = files.filter(({ path }) => extname(path) !== '.ts' && extname(path) !== '.mjs')
  assert.deepEqual(other.map(({ path }) => path), [])
})
