import { readFileSync, realpathSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, isAbsolute, join, relative, resolve } from 'node:path'
import type * as Tinyglobby from 'tinyglobby'
import type { KdlEntry, KdlNode } from './nodes.ts'
import { shown } from './nodes.ts'
import { maxTextLength, parseKdl } from './parse.ts'
import type { Position, Problem, ProblemCode, Severity } from './position.ts'
import { wholeFile } from './position.ts'
import type { SubstituteOptions } from './substitute.ts'
import { substitute } from './substitute.ts'

export interface Sources {
  /** Top-level nodes of all files, those of an included file in the place of its `include`. */
  readonly nodes: KdlNode[]
  readonly problems: Problem[]
  /** Texts by file name, as positions carry it. */
  readonly texts: Map<string, string>
  /** Absolute paths of the files that were read, the first one left out. */
  readonly files: string[]
  /** Absolute paths of the folders that patterns looked in: a file that appears there may be meant. */
  readonly folders: string[]
  /** Something that may be meant could not be read: what seems to be missing is perhaps there. */
  readonly incomplete: boolean
}

export type IncludeOptions = Pick<SubstituteOptions, 'env' | 'textOnly' | 'secrets'>

const mostFiles = 2000
const deepest = 16
/** Of all files together, in UTF-16 units. */
const mostText = 8 * maxTextLength

interface Reading extends IncludeOptions {
  readonly problems: Problem[]
  readonly texts: Map<string, string>
  readonly files: string[]
  readonly folders: Set<string>
  /** By real path: how the file is called and where it was included. */
  readonly seen: Map<string, { readonly file: string, readonly at: Position }>
  length: number
  incomplete: boolean
}

/** Reads a text and all files it includes. Relative patterns start at the folder of the file they stand in. Problems are never thrown. */
export function readSources (text: string, file: string, options: IncludeOptions): Sources {
  const seen = new Map([[identity(resolve(file)), { file, at: wholeFile(file) }]])
  const reading: Reading = { ...options, problems: [], texts: new Map(), files: [], folders: new Set(), seen, length: 0, incomplete: false }
  const nodes = readOne(text, file, reading, [])
  return { nodes, problems: reading.problems, texts: reading.texts, files: reading.files, folders: [...reading.folders], incomplete: reading.incomplete }
}

function readOne (text: string, file: string, reading: Reading, around: readonly string[]): KdlNode[] {
  reading.texts.set(file, text)
  reading.length += text.length
  const parsed = parseKdl(text, file)
  reading.problems.push(...parsed.problems)
  // A broken structure gives no nodes.
  if (parsed.nodes.length === 0 && parsed.problems.length > 0) reading.incomplete = true
  const nodes = text.includes('${') ? substitute(parsed.nodes, reading) : parsed.nodes
  if (!nodes.some(node => node.name === 'include')) return nodes
  return nodes.flatMap(node => node.name === 'include' ? included(node, reading, [...around, identity(resolve(file))]) : [node])
}

function included (node: KdlNode, reading: Reading, around: readonly string[]): KdlNode[] {
  const stray = node.props[0]?.nameAt ?? node.children?.[0]?.at
  if (stray !== undefined) say(reading, 'error', 'CONFIG_EXTRA', "'include' takes only names of files", stray)
  if (node.args.length === 0) say(reading, 'error', 'CONFIG_MISSING', "'include' names no file", node.at, 'for example include "routes/*.kdl"')
  return node.args.flatMap(entry => {
    if (entry.unusable === true) {
      reading.incomplete = true
      return []
    }
    if (typeof entry.value !== 'string' || entry.value === '') {
      say(reading, 'error', 'CONFIG_TYPE', `'include' must be the path of a file or a pattern, found ${shown(entry)}`, entry.at, 'for example include "routes/*.kdl"')
      return []
    }
    return matching(entry, entry.value, reading).flatMap(path => readIncluded(path, entry, reading, around))
  })
}

let loaded: typeof Tinyglobby | undefined

/** Loaded with the first `include`: most configurations are one file, and start sooner without it. */
function glob (): typeof Tinyglobby {
  return loaded ??= createRequire(import.meta.url)('tinyglobby') as typeof Tinyglobby
}

/** Absolute paths that a pattern stands for, sorted. */
function matching (entry: KdlEntry, pattern: string, reading: Reading): string[] {
  const folder = dirname(resolve(entry.at.file))
  if (!glob().isDynamicPattern(pattern)) return [resolve(folder, pattern)]
  try {
    for (const around of foldersOf(pattern, folder)) reading.folders.add(around)
    const found = glob().globSync(pattern, { cwd: folder, absolute: true, onlyFiles: true, expandDirectories: false, deep: 32 }).toSorted()
    if (found.length === 0) say(reading, 'warning', 'CONFIG_INCLUDE', `no file matches ${shown(entry)}`, entry.at, `looked in ${folder}`)
    return found
  } catch (error) {
    say(reading, 'error', 'CONFIG_INCLUDE', `the pattern ${shown(entry)} cannot be used`, entry.at, error instanceof Error ? error.message : '')
    return []
  }
}

/** The folder before the first part of a pattern that stands for several, and those that the parts after it stand for. */
function foldersOf (pattern: string, folder: string): string[] {
  const parts = dirname(pattern).split('/')
  const first = parts.findIndex(part => glob().isDynamicPattern(part))
  if (first < 0) return [resolve(folder, dirname(pattern))]
  const inner = glob().globSync(parts.join('/'), { cwd: folder, absolute: true, onlyDirectories: true, expandDirectories: false, deep: 32 })
  return [resolve(folder, parts.slice(0, first).join('/') || (pattern.startsWith('/') ? '/' : '.')), ...inner.slice(0, mostFiles)]
}

function readIncluded (path: string, entry: KdlEntry, reading: Reading, around: readonly string[]): KdlNode[] {
  const written = typeof entry.value === 'string' && isAbsolute(entry.value)
  const here = entry.at.file
  // Shown the way the including file was: relative to the same place.
  const file = written || isAbsolute(here) ? path : join(dirname(here), relative(dirname(resolve(here)), path))
  const key = identity(path)
  const first = reading.seen.get(key)
  if (first !== undefined) {
    const circle = around.includes(key)
    const message = circle ? `'${file}' includes itself in a circle` : `'${file}' is included twice`
    const whole = first.at.line === 0
    reading.problems.push({
      severity: 'error', code: 'CONFIG_INCLUDE', message, position: entry.at,
      related: whole ? { message: 'it is the file that everything begins with,', position: { ...first.at, line: 1, column: 1 } } : { message: 'it was included before', position: first.at },
    })
    return []
  }
  if (reading.seen.size >= mostFiles || around.length > deepest || reading.length > mostText) {
    const limit = around.length > deepest ? `includes are nested more than ${deepest} deep` : reading.seen.size >= mostFiles ? `more than ${mostFiles} files are included` : 'the included files are too large together'
    say(reading, 'error', 'CONFIG_INCLUDE', limit, entry.at)
    reading.incomplete = true
    return []
  }
  reading.seen.set(key, { file, at: entry.at })
  const text = textOf(path, 'file')
  if ('why' in text) {
    say(reading, 'error', 'CONFIG_INCLUDE', `the file ${shown(entry)} cannot be included: ${text.why}`, entry.at)
    reading.incomplete = true
    return []
  }
  reading.files.push(path)
  return readOne(text.text, file, reading, around)
}

/** The text of a configuration file, or why there is none. A pipe is waited for, unless it has to be a `file`: a reload must not stand still. */
export function textOf (path: string, kind: 'file' | 'any' = 'any'): { readonly text: string } | { readonly why: string } {
  const notKdl = otherFormat(path)
  if (notKdl !== undefined) return { why: notKdl }
  try {
    const facts = statSync(path)
    if (facts.isDirectory()) return { why: 'it is a folder' }
    if (kind === 'file' && !facts.isFile()) return { why: 'it is not a file' }
    if (facts.size > maxTextLength * 4) return { why: 'it is too large' }
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(readFileSync(path)) }
  } catch (error) {
    if (error instanceof TypeError) return { why: 'it is not UTF-8 text' }
    // `code` is there on errors of the file system.
    const { code } = error as NodeJS.ErrnoException
    return { why: code === 'ENOENT' || code === 'ENOTDIR' ? 'there is no such file' : code === 'EACCES' ? 'this user may not read it' : `reading fails (${code ?? 'unknown reason'})` }
  }
}

function otherFormat (path: string): string | undefined {
  const [, ending] = /\.(json|toml|ya?ml)$/i.exec(path) ?? []
  return ending === undefined ? undefined : `configurations are written in KDL, not in ${ending.toUpperCase()}`
}

function identity (path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

function say (reading: Reading, severity: Severity, code: ProblemCode, message: string, position: Position, hint?: string): void {
  reading.problems.push({ severity, code, message, position, ...(hint === undefined || hint === '' ? {} : { hint }) })
}
