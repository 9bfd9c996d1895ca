import type { UnbuiltInFile } from '../../config/schema/index.ts'
import type { Position } from '../../config/sentinel/index.ts'
import type { Finding } from '../lifecycle/probes/probe.ts'
import { printableText } from './places.ts'

const colours = { ok: '32', warning: '33', error: '31' } as const
const nothing = { network: 'there is no target to connect to', certs: 'no certificate is named', agents: 'there is no agent' } as const

/** One line for each finding: how it went, where the configuration names it, what was seen; below it what to do. */
export function printFindings (findings: readonly Finding[], place: (at: Position) => string, colour: boolean): string {
  const places = findings.map(({ at }) => at === undefined ? '' : place(at))
  const width = Math.max(0, ...places.map((text) => text.length))
  return findings.map(({ level, what, message, hint }, index) => {
    const word = colour ? `\x1b[${colours[level]}m${level}\x1b[0m${' '.repeat(7 - level.length)}` : level.padEnd(7)
    const more = hint === undefined ? '' : `${' '.repeat(width + 11)}${printableText(hint)}\n`
    return `${word}  ${(places[index] ?? '').padEnd(width)}  ${printableText(`${what}: ${message}`)}\n${more}`
  }).join('')
}

/** Said where a probe had nothing to look at. */
export function nothingToProbe (probe: keyof typeof nothing): string {
  return `ok       ${nothing[probe]}\n`
}

/** What a file gives that is not in effect yet, with places. */
export function printUnbuiltIn (file: string, found: readonly UnbuiltInFile[], place: (at: Position) => string): string {
  if (found.length === 0) return `${file}: everything in it is in effect\n`
  const rows = found.map(({ path, doc, at, instead }) => [place(at), printableText(path), printableText(`${doc}${instead === undefined ? '' : ` (${instead})`}`)] as const)
  return `${file}: accepted, not in effect yet\n${aligned(rows)}`
}

/** Columns, the last one ragged. */
export function aligned (rows: ReadonlyArray<readonly [string, string, string]>): string {
  const widest = (column: 0 | 1): number => Math.max(0, ...rows.map((row) => row[column].length).filter((length) => length <= 60))
  const [first, second] = [widest(0), widest(1)]
  return rows.map(([a, b, c]) => `  ${first === 0 ? '' : `${a.padEnd(first)}  `}${b.padEnd(second)}  ${c}\n`).join('')
}
