import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { relative } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Agent } from '../definition.ts'
import { placeOfMistake } from './strip-types.ts'

/** An agent's file that cannot be used. The message says where and why, for a terminal. */
export class CannotLoad extends Error {}

/** The agent that a file exports as its default. Rejects with `CannotLoad`. `loaded` gives the files that were read, for the place of a mistake in one of them. */
export async function loadAgent (path: string, loaded: () => readonly string[]): Promise<Agent> {
  if (!existsSync(path)) throw new CannotLoad(`${path} does not exist.`)
  let exported: { readonly default?: unknown }
  try {
    exported = await import(pathToFileURL(path).href) as typeof exported
  } catch (error) {
    throw new CannotLoad(await explain(error, path, loaded()))
  }
  if (isAgent(exported.default)) return exported.default
  const found = Object.keys(exported).filter((name) => name !== 'default')
  throw new CannotLoad(`${path} exports no agent: it needs "export default defineAgent({ … })"${found.length === 0 ? '' : ` (it exports ${found.join(', ')})`}.`)
}

function isAgent (value: unknown): value is Agent {
  return typeof value === 'object' && value !== null && 'definition' in value && 'events' in value
}

/** What is wrong and where: V8 does not tell the place of a syntax error to those who import. */
async function explain (error: unknown, path: string, loaded: readonly string[]): Promise<string> {
  if (!(error instanceof Error)) return `${path}: ${String(error)} was thrown.`
  if (error instanceof SyntaxError) return await placeIn(error, loaded) ?? `${path}: ${error.message}`
  if ('code' in error && error.code === 'ERR_MODULE_NOT_FOUND') return `${path}: ${missing(error)}`
  return `${placeOf(error) ?? path}: ${error.name}: ${error.message}`
}

async function placeIn (error: SyntaxError, loaded: readonly string[]): Promise<string | undefined> {
  if (/^\/.*:\d+:\d+: /.test(error.message)) return error.message
  for (const file of loaded.filter((name) => /\.m?[jt]s$/.test(name))) {
    const mistake = placeOfMistake(await readFile(file, 'utf8'), file)
    if (typeof mistake === 'string') return mistake
  }
  // Two files that do not fit: "does not provide an export named". Node tells which line of which file asks for it.
  const [, place] = /(file:\/\/\S+:\d+)\n/.exec(error.stack ?? '') ?? []
  return place === undefined ? undefined : `${pathIn(place)}: ${error.message}`
}

function missing (error: Error): string {
  const [, what = '', by] = /^Cannot find (?:module|package) '([^']+)' imported from (.+)$/.exec(error.message) ?? []
  if (by === undefined) return error.message
  return what.startsWith('/') ? `imports ${relative(process.cwd(), what)}, which does not exist.` : `imports the package ${what}, which is not installed: npm install ${what}`
}

/** The topmost line of the stack in a file of the agent's own. */
function placeOf (error: Error): string | undefined {
  const own = (error.stack ?? '').split('\n').find((line) => /^\s+at .*file:\/\//.test(line) && !line.includes('/node_modules/') && !line.includes(sdkFolder))
  const [place] = own === undefined ? [] : /file:\/\/[^)\s]+/.exec(own) ?? []
  return place === undefined ? undefined : pathIn(place)
}

const sdkFolder = new URL('..', import.meta.url).href

/** file:///a%20b.ts:3:4 → /a b.ts:3:4 */
function pathIn (place: string): string {
  const [, url = place, at = ''] = /^(.*?)((?::\d+)+)$/.exec(place) ?? []
  return fileURLToPath(url) + at
}
