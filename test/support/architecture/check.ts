import { builtinModules } from 'node:module'
import { posix } from 'node:path'
import { importsOf } from './imports.ts'
import { computedImports, importTable, packageHomes } from './table.ts'

export interface SourceFile {
  /** Relative to the repository, with slashes. */
  readonly path: string
  readonly text: string
}

/** One sentence for each import that the tables forbid; empty when all is well. */
export function importViolations (file: SourceFile): string[] {
  return importsOf(file.text).flatMap(({ specifier, line }) => {
    if (specifier === undefined && computedImports.has(file.path)) return []
    const why = specifier === undefined ? 'a computed import cannot be checked' : violation(file.path, specifier)
    return why === undefined ? [] : [`${file.path}:${line}: ${why}`]
  })
}

function violation (from: string, specifier: string): string | undefined {
  const kind = from.split('/')[0]
  if (kind === 'test') return testViolation(from, specifier)
  if (kind === 'examples') return exampleViolation(from, specifier)
  const part = partOf(from)
  if (part === undefined) return 'this folder is not in the import table'
  const target = localTarget(from, specifier)
  return target === undefined ? packageViolation(from, specifier) : localViolation(from, part, target)
}

/** Tests may import anything; a package whose every home is a folder of tests stays there. */
function testViolation (from: string, specifier: string): string | undefined {
  const homes = packageHomes[packageName(specifier)]
  return homes !== undefined && homes.length > 0 && homes.every((home) => home.startsWith('test/')) ? packageViolation(from, specifier) : undefined
}

/** An example shows what an outsider can do: only what is published, and files beside it. What checks an example is a test. */
function exampleViolation (from: string, specifier: string): string | undefined {
  if (/(^|\/)expected\.ts$|\.test\.ts$/.test(from) || !isRelative(specifier)) return undefined
  const folder = from.split('/').slice(0, 2).join('/')
  const target = posix.join(posix.dirname(from), specifier)
  return isIn(target, folder) ? undefined : `an example imports only sentinel/sdk and its own files, not ${target}`
}

/** A path inside the repository, or "sentinel/…" for what the package exports; undefined for packages and Node. */
function localTarget (from: string, specifier: string): string | undefined {
  if (isRelative(specifier)) return posix.join(posix.dirname(from), specifier)
  return packageName(specifier) === 'sentinel' ? specifier : undefined
}

function localViolation (from: string, part: string, target: string): string | undefined {
  const to = target.startsWith('sentinel/') ? target : partOf(target)
  if (to === undefined) return `${target} is in no part of the import table`
  const own = part.endsWith('/*') ? from.split('/').slice(0, 2).join('/') : part
  if (to === part && isIn(target, own)) return undefined
  if (importTable[part]?.includes(to) === true) return undefined
  return `${own} must not import ${target}`
}

function packageViolation (from: string, specifier: string): string | undefined {
  const name = packageName(specifier)
  if (builtinModules.includes(name)) return `write node:${name}`
  const homes = packageHomes[name]
  if (homes === undefined) {
    return name.startsWith('node:') || from.startsWith('agents/') ? undefined : `the package ${name} has no home in the table`
  }
  if (homes.some((home) => isIn(from, home))) return undefined
  // What an agent imports from Node is the agent's business.
  if (name.startsWith('node:') && from.startsWith('agents/')) return undefined
  return `${name} belongs to ${homes.join(', ') || 'nobody'}`
}

/** The row of the table a path belongs to: the longest that holds it. */
function partOf (path: string): string | undefined {
  const matching = Object.keys(importTable).filter((part) => {
    return part.endsWith('/*') ? isIn(path, part.slice(0, -2)) && path.split('/').length > 2 : isIn(path, part)
  })
  const longest = matching.sort((a, b) => b.length - a.length)[0]
  // "proxy" and "config" mean their own files: a new folder in them needs a row of its own.
  const isNewFolder = longest !== undefined && !longest.includes('/') && longest !== 'sdk' && path.split('/').length > 2
  return isNewFolder ? undefined : longest
}

function packageName (specifier: string): string {
  const parts = specifier.split('/')
  if (specifier.startsWith('node:')) return parts[0] ?? ''
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0] ?? ''
}

function isRelative (specifier: string): boolean {
  return specifier.startsWith('./') || specifier.startsWith('../') || specifier === '.' || specifier === '..'
}

function isIn (path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`)
}
