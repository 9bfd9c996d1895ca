import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { isAgent } from '../check-definition.ts'
import type { Agent } from '../definition.ts'
import { shareProcess, sharedProcess } from '../server/seats.ts'
import { whyNotFound, whyNotProvided } from './missing-import.ts'
import { ownPlace } from './own-lines.ts'
import { placeOfMistake } from './strip-types.ts'

/** An agent's file that cannot be used. The message says where and why, for a terminal. */
export class CannotLoad extends Error {}

/** The agent that a file exports as its default, or hands to `serve`: whoever loads it serves it. Rejects with `CannotLoad`. `loaded` gives the files that were read, for the place of a mistake in one of them. */
export async function loadAgent (path: string, loaded: () => readonly string[]): Promise<Agent> {
  if (!existsSync(path)) throw new CannotLoad(`${path} does not exist.`)
  let exported: { readonly default?: unknown }
  const served: Agent[] = []
  const before = sharedProcess()
  shareProcess({ async serve (agent) { served.push(agent) } })
  try {
    exported = await import(pathToFileURL(path).href) as typeof exported
  } catch (error) {
    throw new CannotLoad(await explain(error, path, loaded()))
  } finally {
    shareProcess(before)
  }
  // The second is what compilers make of `export default` in CommonJS.
  const own = [exported.default, (exported.default as typeof exported | null | undefined)?.default].find(isAgent)
  if (own !== undefined) return own
  const [only, ...more] = served
  if (only !== undefined && more.length === 0) return only
  const found = Object.keys(exported).filter((name) => name !== 'default' && name !== 'module.exports')
  throw new CannotLoad(`${path} exports no agent: it needs "export default defineAgent({ … })"${found.length === 0 ? '' : ` (it exports ${found.join(', ')})`}.`)
}

/** What is wrong and where: V8 does not tell the place of a syntax error to those who import. */
async function explain (error: unknown, path: string, loaded: readonly string[]): Promise<string> {
  if (!(error instanceof Error)) return `${path}: ${String(error)} was thrown.`
  if (error instanceof SyntaxError) return await placeIn(error, loaded) ?? `${path}: ${error.message}`
  const notFound = whyNotFound(error)
  if (notFound !== undefined) return notFound
  return `${placeOf(error) ?? path}: ${error.name}: ${error.message}`
}

async function placeIn (error: SyntaxError, loaded: readonly string[]): Promise<string | undefined> {
  if (/^\/.*:\d+:\d+: /.test(error.message)) return error.message
  for (const file of loaded.filter((name) => /\.m?[jt]s$/.test(name))) {
    const mistake = placeOfMistake(await readFile(file, 'utf8'), file)
    if (typeof mistake === 'string') return mistake
  }
  // What `npm init` writes makes CommonJS of every .js file.
  if (/^(?:Cannot use import statement outside a module|Unexpected token 'export')/.test(error.message)) {
    return `${loaded.at(-1) ?? ''}: ${error.message}: for import and export, package.json says "type": "module", or the file is called .mjs.`
  }
  // In CommonJS, Node puts the place and the line before the stack.
  const [required] = /^\/.*:\d+\n(?:.*\n)?\s*\^+$/m.exec(error.stack ?? '') ?? []
  if (required !== undefined) return requiredPlace(required, error.message)
  // Two files that do not fit: "does not provide an export named". Node tells which line of which file asks for it.
  const [, place] = /(file:\/\/\S+:\d+)\n/.exec(error.stack ?? '') ?? []
  return place === undefined ? undefined : `${pathIn(place)}: ${whyNotProvided(error.message, pathIn(place))}`
}

/** "/a.cjs:3", the line and the mark under it → `/a.cjs:3:5: what is wrong`, with the line. */
function requiredPlace (before: string, message: string): string {
  const [place = '', line = '', mark = ''] = before.split('\n')
  return `${place}:${mark.indexOf('^') + 1}: ${message}\n    ${line}\n    ${mark}`
}

/** The topmost line of the stack in a file of the agent's own. */
function placeOf (error: Error): string | undefined {
  const place = ownPlace(error.stack ?? '')
  return place === undefined ? undefined : pathIn(place)
}

/** file:///a%20b.ts:3:4 → /a b.ts:3:4; a path stays what it is. */
function pathIn (place: string): string {
  if (place.startsWith('/')) return place
  const [, url = place, at = ''] = /^(.*?)((?::\d+)+)$/.exec(place) ?? []
  return fileURLToPath(url) + at
}
