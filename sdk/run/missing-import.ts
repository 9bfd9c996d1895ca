import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'

/** `path: imports …, which does not exist`, and what to write in its place; undefined where another thing is wrong. */
export function whyNotFound (error: Error & { readonly code?: unknown, readonly requireStack?: unknown }): string | undefined {
  const [, folder = '', into] = /^Directory import '([^']+)' .* imported from (.+)/.exec(error.message) ?? []
  if (error.code === 'ERR_UNSUPPORTED_DIR_IMPORT' && into !== undefined) return `${into}: imports ${shown(folder, into)}, which is a folder: name the file in it, with its ending.`
  const [, what = '', by] = /^Cannot find (?:module|package) '([^']+)' imported from (.+)/.exec(error.message) ?? []
  if (error.code === 'ERR_MODULE_NOT_FOUND' && by !== undefined) return `${by}: ${what.startsWith(sep) ? noFile(what, by) : noPackage(what, by)}`
  const [, required] = /^Cannot find module '([^']+)'/.exec(error.message) ?? []
  const [from] = Array.isArray(error.requireStack) ? error.requireStack as unknown[] : []
  if (error.code !== 'MODULE_NOT_FOUND' || required === undefined || typeof from !== 'string') return undefined
  return `${from}: ${/^\.{0,2}\//.test(required) ? noFile(join(required.startsWith('/') ? '' : dirname(from), required), from) : noPackage(required, from)}`
}

/** Node's words, and what is behind them in TypeScript more often than not. */
export function whyNotProvided (message: string, place: string): string {
  return /does not provide an export named/.test(message) && /\.m?ts:\d/.test(place) ? message + '. If it is a type: import type { … }' : message
}

const endings = ['.ts', '.js', '.mts', '.mjs']

/** As the file would write it. */
function shown (path: string, by: string): string {
  return relative(dirname(by), path).replace(/^(?!\.\.?\/)/, './')
}

function noFile (what: string, by: string): string {
  const meant = [what.replace(/js$/, 'ts'), ...endings.map((ending) => what + ending)].find((path) => path !== what && existsSync(path))
  return `imports ${shown(what, by)}, which does not exist.${meant === undefined ? '' : ` ${shown(meant, by)} does: name the file as it is called, with its ending.`}`
}

function noPackage (what: string, by: string): string {
  const isName = /^(?:@[\w~-][\w.~-]*\/)?[\w~-][\w.~-]*$/.test(what) && !what.startsWith('~')
  const alias = 'paths of tsconfig.json count for the compiler alone. Name the file itself, or put the name into "imports" of package.json (#name)'
  if (!isName) return `imports ${what}, which is no package: ${alias}.`
  return `imports the package ${what}, which is not installed: npm install ${what}${hasPaths(by) ? ` (${alias})` : ''}`
}

/** Whether the compiler is told other names for files. */
function hasPaths (file: string): boolean {
  for (let folder = dirname(file), above = ''; folder !== above; above = folder, folder = dirname(folder)) {
    const config = join(folder, 'tsconfig.json')
    if (existsSync(config)) return /"paths"\s*:/.test(readFileSync(config, 'utf8'))
  }
  return false
}
