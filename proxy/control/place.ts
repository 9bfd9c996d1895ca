import { createHash } from 'node:crypto'
import { lstatSync, mkdirSync, realpathSync, type Stats } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly uid: number
}

/** Of this process. */
export function surroundingsOf (env: Surroundings['env']): Surroundings {
  return { env, uid: process.getuid?.() ?? -1 }
}

const systemFolder = '/run/sentinel'
const socketName = 'control.sock'

/** Where a proxy of this user makes its socket: a folder that is private to it, named after the real path of its configuration. Throws a sentence when there is none. */
export function makePlace (file: string, around: Surroundings): string {
  const name = nameOf(file)
  const reasons: string[] = []
  for (const base of basesOf(around)) {
    try {
      const path = join(base, name)
      if (base === systemFolder) makeFolder(base, around.uid, 0o755)
      else makeFolder(base, around.uid, 0o700)
      makeFolder(path, around.uid, 0o700)
      return join(path, socketName)
    } catch (error) {
      reasons.push(`${base}: ${error instanceof Error ? (error as NodeJS.ErrnoException).code ?? error.message : String(error)}`)
    }
  }
  throw new Error(`there is no private folder for the control socket (${reasons.join('; ')})`)
}

/** Where the socket of a running proxy may be, whoever started it: a command has not the environment of the service. */
export function findPlaces (file: string, around: Surroundings): string[] {
  const name = nameOf(file)
  return basesOf(around).filter((base) => {
    const inner = factsOf(join(base, name))
    return whatIsWrong(base, factsOf(base), around.uid) === undefined && inner !== undefined && inner.isDirectory()
  }).map((base) => join(base, name, socketName))
}

function nameOf (file: string): string {
  return createHash('sha256').update(realpathSync(file)).digest('hex').slice(0, 16)
}

/** A service manager gives several, separated by colons, when the unit names several. */
function basesOf ({ env, uid }: Surroundings): string[] {
  const given = env['RUNTIME_DIRECTORY']?.split(':')[0]
  const session = env['XDG_RUNTIME_DIR']
  const there = (folder: string | undefined): string[] => folder === undefined || folder === '' ? [] : [folder]
  return [...new Set([...there(given), systemFolder, ...there(session).map((folder) => join(folder, 'sentinel')), join(tmpdir(), `sentinel-of-${uid}`)])]
}

function makeFolder (path: string, uid: number, mode: number): void {
  try {
    mkdirSync(path, { mode })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const wrong = whatIsWrong(path, factsOf(path), uid)
  if (wrong !== undefined) throw new Error(wrong)
}

/** Everybody may make names in the folder for temporary files: one that somebody else made, or could change, is not trusted. */
function whatIsWrong (folder: string, facts: Stats | undefined, uid: number): string | undefined {
  if (facts === undefined) return 'it does not exist'
  if (!facts.isDirectory()) return 'it is not a folder'
  if ((facts.mode & 0o022) !== 0) return 'others may write to it'
  if (facts.uid === uid || facts.uid === 0) return undefined
  // root asks the service of another user, in a place that root alone gives away.
  const around = factsOf(dirname(folder))
  return uid === 0 && around?.uid === 0 && (around.mode & 0o022) === 0 ? undefined : 'it belongs to somebody else'
}

function factsOf (path: string): Stats | undefined {
  try {
    return lstatSync(path)
  } catch {
    return undefined
  }
}
