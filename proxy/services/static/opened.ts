import { close, constants, fstatSync, open, readlinkSync, realpathSync, statSync, type Stats } from 'node:fs'
import { promisify } from 'node:util'
import { Fault } from '../../pipeline/faults.ts'
import { isHidden } from './name-of.ts'

/** Whoever has it closes it. */
export interface Opened {
  readonly fd: number
  readonly stats: Stats
}

const openFile = promisify(open)

/** A FIFO would wait for a writer, and a terminal become ours. */
const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY

const missing: ReadonlySet<unknown> = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP', 'ENXIO', 'ENODEV', 'EINVAL'])
const exhausted: ReadonlySet<unknown> = new Set(['EMFILE', 'ENFILE', 'ENOMEM'])

export interface LinkRules {
  readonly dotFiles: boolean
  readonly followLinks: boolean
}

/**
 * The folder that is served. A file is judged by where it really is once it is open, so that nobody can put a link in its place between the look and the
 * use. `undefined` for what is not there, is neither file nor folder, or may not be served; throws a `Fault` for what cannot be opened.
 */
export class Root {
  readonly #path: string
  readonly #rules: LinkRules
  /** Where the root is when all links are followed; "" for "/". */
  #real: string

  constructor (path: string, rules: LinkRules) {
    this.#path = path === '/' ? '' : path
    this.#rules = rules
    this.#real = this.#find()
  }

  async open (name: string): Promise<Opened | undefined> {
    const path = `${this.#path}/${name}`
    let fd: number
    try {
      fd = await openFile(path, flags)
    } catch (error) {
      return refuse(error, name)
    }
    try {
      const stats = fstatSync(fd)
      if ((stats.isFile() || stats.isDirectory()) && this.#holds(realPlace(fd, path, stats))) return { fd, stats }
    } catch (error) {
      letGo(fd)
      return refuse(error, name)
    }
    letGo(fd)
    return undefined
  }

  /** The root may itself be a link, which a deployment sets to another folder. */
  #holds (place: string | undefined): boolean {
    if (this.#rules.followLinks) return true
    if (place === undefined) return false
    if (!this.#isBelow(place)) {
      this.#real = this.#find()
      if (!this.#isBelow(place)) return false
    }
    return this.#rules.dotFiles || !isHidden(place.slice(this.#real.length + 1).split('/'))
  }

  #isBelow (place: string): boolean {
    return place === this.#real || place.startsWith(`${this.#real}/`)
  }

  #find (): string {
    const real = realpathSync(this.#path === '' ? '/' : this.#path)
    return real === '/' ? '' : real
  }
}

/** Reading may be over later than whoever wanted it. */
export function letGo (fd: number): void {
  close(fd, () => { /* it was open for reading: nothing is lost */ })
}

/** Where an open file is. Where the system does not say, a path that leads to this very file does. */
function realPlace (fd: number, path: string, stats: Stats): string | undefined {
  if (process.platform === 'linux') return readlinkSync(`/proc/self/fd/${fd}`)
  const real = realpathSync(path)
  const { dev, ino } = statSync(real)
  return dev === stats.dev && ino === stats.ino ? real : undefined
}

function refuse (error: unknown, name: string): undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (missing.has(code)) return undefined
  if (code === 'EACCES' || code === 'EPERM') throw new Fault('FILE_UNREADABLE', name, error)
  if (exhausted.has(code)) throw new Fault('OVERLOADED', `${String(code)} while opening a file`, error)
  throw error
}
