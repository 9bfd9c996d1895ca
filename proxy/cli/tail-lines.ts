import type { Shell } from './command.ts'
import { tailLine } from './print-tail.ts'

/** Says what came. True for the line that says that more will come. */
export function printer (shell: Shell, json: boolean): (line: string) => boolean {
  return (line) => {
    if (line === '') return false
    if (line === '{"tail":"begun"}') return true
    const [, lost] = /^\{"lost":(\d+)\}$/.exec(line) ?? []
    if (lost !== undefined) shell.err(`sentinel tail: ${lost} lines were lost: whoever reads this is too slow\n`)
    else shell.out(json ? `${line}\n` : tailLine(line, shell.colour))
    return false
  }
}
