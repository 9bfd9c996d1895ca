import { createReadStream, createWriteStream } from 'node:fs'
import { lstat, readdir, rename, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'

/** When a log file is put aside, and what becomes of it then. */
export interface RotateSettings {
  readonly maxSize: number | undefined
  readonly maxAge: number | undefined
  readonly keep: number
  readonly compress: boolean
}

/** A file put aside that nobody has written to for so long has all its lines. */
const quietMs = 5_000

/** Which file was found under a name, and since when. */
export interface Found {
  ino: number
  sinceMs: number
}

/** Whether the time has come. An empty file is nothing to put aside, whatever its age. `found` is kept up to date: not every file system knows when a file was made. */
export async function isDue (path: string, { maxSize = Infinity, maxAge = Infinity }: RotateSettings, nowMs: number, found: Found): Promise<boolean> {
  const stat = await lstat(path).catch(() => undefined)
  if (stat === undefined || !stat.isFile() || stat.size === 0) return false
  if (stat.ino !== found.ino) Object.assign(found, { ino: stat.ino, sinceMs: stat.birthtimeMs > 0 && stat.birthtimeMs <= nowMs ? stat.birthtimeMs : nowMs })
  return stat.size >= maxSize || nowMs - found.sinceMs >= maxAge
}

/** Gives the file another name. Those who have it open go on writing to it until they open it anew. */
export async function putAside (path: string, nowMs: number): Promise<string> {
  const stamp = new Date(nowMs).toISOString().replace(/\.\d+/, '').replaceAll(/[-:]/g, '')
  const taken = new Set((await asideOf(path)).map(({ name }) => name.replace(/\.gz$/, '')))
  let to = `${path}.${stamp}`
  for (let again = 1; taken.has(to); again++) to = `${path}.${stamp}-${again}`
  await rename(path, to)
  return to
}

interface Aside {
  readonly name: string
  readonly compressed: boolean
}

/** Those put aside, the newest first. Nothing else that stands beside the file is touched. */
async function asideOf (path: string): Promise<Aside[]> {
  const start = `${basename(path)}.`
  const found: Array<Aside & { readonly order: string }> = []
  for (const name of await readdir(dirname(path))) {
    const [, stamp, again = '0', gz] = name.startsWith(start) ? /^(\d{8}T\d{6}Z)(?:-(\d{1,6}))?(\.gz)?$/.exec(name.slice(start.length)) ?? [] : []
    if (stamp !== undefined) found.push({ name: join(dirname(path), name), compressed: gz !== undefined, order: `${stamp}${again.padStart(6, '0')}` })
  }
  return found.sort((a, b) => a.order < b.order ? 1 : a.order > b.order ? -1 : Number(b.compressed) - Number(a.compressed))
}

/** Compresses those that are complete, and removes those that are too many. */
export async function tidy (path: string, { keep, compress }: RotateSettings, nowMs: number): Promise<void> {
  const all = await asideOf(path)
  for (const { name } of all.slice(keep)) await unlink(name).catch(ignoreMissing)
  if (!compress) return
  for (const { name } of all.slice(0, keep).filter(({ compressed }) => !compressed)) {
    const stat = await lstat(name).catch(() => undefined)
    if (stat?.isFile() === true && nowMs - stat.mtimeMs >= quietMs) await compressed(name)
  }
}

/** One that was interrupted leaves a part that the next one writes over. */
async function compressed (name: string): Promise<void> {
  const part = `${name}.gz.part`
  await pipeline(createReadStream(name), createGzip(), createWriteStream(part, { mode: 0o640 }))
  await rename(part, `${name}.gz`)
  await unlink(name)
}

function ignoreMissing (error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}
