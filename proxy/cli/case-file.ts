import { closeSync, ftruncateSync, openSync, unlinkSync, writeSync } from 'node:fs'
import { resolve } from 'node:path'
import { CASE_VERSION } from '../observe/case-line.ts'
import type { Shell } from './command.ts'

/** Where cases are written to while they come. */
export interface CaseSink {
  readonly cases: number
  readonly bytes: number
  /** Exchanges that fitted and are not in the file. */
  readonly lost: number
  readonly begun: boolean
  /** Why nothing more can be written, for instance because the disk is full: what is there already ends with a whole line. */
  readonly broken: string | undefined
  /** A line of the proxy. True for the one that says that more will come. */
  take (line: string): boolean
  /** Says how many there are, so that a file that was cut off can be told from one that is whole. Nothing is left when nothing had begun. */
  end (): void
}

/** A new file with mode 0600, or "-"; a sentence when it cannot be made. What is in a file that exists may be somebody's work. */
export function openCases (shell: Shell, name: string, asked: { readonly bodies: boolean, readonly unredacted: boolean }): CaseSink | string {
  const path = resolve(shell.cwd, name)
  let write: (text: string) => void
  let close = (): void => {}
  let discard = (): void => {}
  try {
    if (name === '-') write = shell.out
    else {
      const file = openSync(path, 'wx', 0o600)
      write = wholeLines(file)
      close = () => closeSync(file)
      discard = () => {
        closeSync(file)
        unlinkSync(path)
      }
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return code === 'EEXIST' ? `${path} exists already; remove it, or name another with -o` : `${path} cannot be made: ${message}`
  }
  let broken: string | undefined
  const put = (record: string): boolean => {
    if (broken !== undefined) return false
    try {
      write(`${record}\n`)
      return true
    } catch (error) {
      broken = error instanceof Error ? error.message : String(error)
      return false
    }
  }
  put(`${JSON.stringify({ v: CASE_VERSION, kind: 'head', at: new Date().toISOString(), bodies: asked.bodies, unredacted: asked.unredacted })}`)
  if (broken !== undefined) {
    discard()
    return `${path} cannot be written: ${String(broken)}`
  }
  let [cases, bytes, lost, begun] = [0, 0, 0, false]
  return {
    get cases () { return cases },
    get bytes () { return bytes },
    get lost () { return lost },
    get begun () { return begun },
    get broken () { return broken },
    take (line) {
      if (line === '') return false
      if (line === '{"record":"begun"}') return begun = true
      const [, more] = /^\{"lost":(\d+)\}$/.exec(line) ?? []
      if (more !== undefined) lost += Number(more)
      else if (put(line)) {
        cases++
        bytes += line.length
      }
      return false
    },
    end () {
      if (!begun) return discard()
      put(JSON.stringify({ v: CASE_VERSION, kind: 'end', at: new Date().toISOString(), cases, lost }))
      close()
    },
  }
}

/** Writes to a file, and takes back what was written of a text that does not fit. */
function wholeLines (file: number): (text: string) => void {
  let length = 0
  return (text) => {
    const bytes = Buffer.from(text)
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at)
    } catch (error) {
      ftruncateSync(file, length)
      throw error
    }
    length += bytes.length
  }
}
