import { createHash } from 'node:crypto'
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'
import { stripTypes } from './strip-types.ts'
import { placed } from './thrown.ts'

export interface ScriptText {
  readonly file: string
  readonly digest: string
  /** JavaScript, every line and column where it was in the file. */
  readonly source: string
}

/** A script is a text somebody wrote. */
const mostBytes = 4 * 1024 * 1024

/** Why a script cannot be run; the message begins with its place. */
export class ScriptRefused extends Error {}

/** Content of the file, and a name for it. Throws `ScriptRefused`. */
export function readScript (file: string): { readonly text: string, readonly digest: string } {
  let opened: number | undefined
  try {
    // A pipe in its place must not keep the agent waiting.
    opened = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK)
    const facts = fstatSync(opened)
    if (!facts.isFile()) throw new ScriptRefused(`${file}: it is not a file`)
    if (facts.size > mostBytes) throw new ScriptRefused(`${file}: it is larger than ${mostBytes / 1024 / 1024} MiB`)
    // A byte order mark is no part of the text: columns are counted behind it.
    const text = readFileSync(opened, 'utf8').replace(/^\uFEFF/, '')
    return { text, digest: digestOf(text) }
  } catch (error) {
    if (error instanceof ScriptRefused) throw error
    // `code` is there on errors of the file system.
    const { code } = error as NodeJS.ErrnoException
    throw new ScriptRefused(`${file}: ${code === 'ENOENT' ? 'there is no such file' : `it cannot be read (${code ?? 'unknown reason'})`}`)
  } finally {
    if (opened !== undefined) closeSync(opened)
  }
}

export function digestOf (text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

/** The script as JavaScript: what is TypeScript alone is blanked out. Throws `ScriptRefused`. */
export async function loadScript (file: string): Promise<ScriptText> {
  const { text, digest } = readScript(file)
  return { file, digest, source: /\.m?ts$/i.test(file) ? await stripped(text, file) : text }
}

async function stripped (text: string, file: string): Promise<string> {
  const came = await stripTypes(text)
  if ('code' in came) return came.code
  throw new ScriptRefused(placed(file, came))
}
