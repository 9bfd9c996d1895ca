import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs'
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
      write = (text) => { writeSync(file, text) }
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
  write(`${JSON.stringify({ v: CASE_VERSION, kind: 'head', at: new Date().toISOString(), bodies: asked.bodies, unredacted: asked.unredacted })}\n`)
  let [cases, bytes, lost, begun] = [0, 0, 0, false]
  return {
    get cases () { return cases },
    get bytes () { return bytes },
    get lost () { return lost },
    get begun () { return begun },
    take (line) {
      if (line === '') return false
      if (line === '{"record":"begun"}') return begun = true
      const [, more] = /^\{"lost":(\d+)\}$/.exec(line) ?? []
      if (more !== undefined) lost += Number(more)
      else {
        write(`${line}\n`)
        cases++
        bytes += line.length
      }
      return false
    },
    end () {
      if (!begun) return discard()
      write(`${JSON.stringify({ v: CASE_VERSION, kind: 'end', at: new Date().toISOString(), cases, lost })}\n`)
      close()
    },
  }
}
