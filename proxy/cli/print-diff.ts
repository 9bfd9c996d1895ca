import { basename, resolve } from 'node:path'
import type { Change } from '../../config/schema/index.ts'
import type { Position } from '../../config/sentinel/index.ts'
import type { RestartNeed } from '../lifecycle/needs-restart.ts'
import { printableText } from './places.ts'

export interface Difference {
  readonly files: { readonly old: string, readonly new: string }
  /** As they were given on the command line. */
  readonly names: { readonly old: string, readonly new: string }
  readonly changes: readonly Change[]
  readonly restart: readonly RestartNeed[]
  readonly agents: ReadonlyArray<{ readonly agent: string, readonly what: string }>
}

const signs = { added: '+', removed: '-', changed: '~', moved: '~' } as const
const colours = { added: '32', removed: '31', changed: '33', moved: '33' } as const

/** Widest text that places are aligned with. */
const widestText = 76

/** Changes by block, each with its places, then what a reload would do. */
export function printDiff (difference: Difference, colour: boolean): string {
  const paint = (code: string, text: string): string => colour ? `\x1b[${code}m${text}\x1b[0m` : text
  const { names, changes } = difference
  if (changes.length === 0) return `${names.old} and ${names.new} mean the same: a reload would change nothing.\n`
  const lines = changes.flatMap((change, index) => [...headings(change, changes[index - 1]), lineOf(change, shownPlace(difference))])
  const column = Math.max(...lines.map(({ text, place }) => place === '' ? 0 : text.length).filter(length => length <= widestText), 0)
  const body = lines.map(({ text, place, kind }) => {
    const cut = kind === undefined ? text : text.replace(/^( *)([+~-])/, (_, spaces: string, sign: string) => spaces + paint(colours[kind], sign))
    return place === '' ? cut : `${cut}${' '.repeat(Math.max(0, column - text.length))}  ${paint('2', place)}`
  })
  return `${paint('1', `${names.old} → ${names.new}`)}\n\n${body.join('\n')}\n\n${consequences(difference, paint)}`
}

interface Line {
  readonly text: string
  readonly place: string
  readonly kind?: Change['kind']
}

/** The names around a change that the line before did not show already. */
function headings ({ scope }: Change, before: Change | undefined): Line[] {
  const around = scope.slice(0, -1)
  const shown = before?.scope.slice(0, -1) ?? []
  const same = around.findIndex((name, index) => shown[index] !== name)
  return around.flatMap((name, depth) => depth < (same < 0 ? around.length : same) ? [] : [{ text: `${'  '.repeat(depth)}${printableText(name)}`, place: '' }])
}

function lineOf (change: Change, place: (change: Change) => string): Line {
  const { kind, scope } = change
  const indent = '  '.repeat(scope.length - 1)
  const note = change.inEffect ? '' : '  (not in effect yet)'
  return { text: `${indent}${signs[kind]} ${printableText(scope.at(-1) ?? '')}${what(change)}${note}`, place: place(change), kind }
}

function what (change: Change): string {
  const { kind, old, new: now } = change
  if (kind === 'moved' && old === undefined) {
    const neighbour = (name: string | undefined): string => name === undefined ? 'first' : `after ${name}`
    return `: now ${neighbour(change.after)}, was ${neighbour(change.before)}`
  }
  const order = kind === 'moved' ? ' (other order)' : ''
  if (old !== undefined && now !== undefined) return `${order}: ${old === now ? `${old} → another one` : `${old} → ${now}`}`
  const one = now ?? old
  return one === undefined ? '' : `: ${one}`
}

/** "old.kdl:4 → new.kdl:6"; a side that is a default, or where it is not, says so. */
function shownPlace ({ files, names }: Difference): (change: Change) => string {
  const clash = basename(files.old) === basename(files.new)
  const shown = (at: Position, root: string, name: string): string => {
    const file = resolve(at.file) === root ? clash ? name : basename(root) : at.file
    return `${printableText(file)}:${at.line}`
  }
  return ({ kind, oldAt, newAt }) => {
    const old = oldAt === undefined ? kind === 'changed' ? 'default' : '' : shown(oldAt, files.old, names.old)
    const now = newAt === undefined ? kind === 'changed' ? 'default' : '' : shown(newAt, files.new, names.new)
    return old !== '' && now !== '' ? `${old} → ${now}` : old + now
  }
}

function consequences ({ changes, restart, agents }: Difference, paint: (code: string, text: string) => string): string {
  const out: string[] = []
  const refused = restart.filter(({ reload }) => reload === 'refused')
  const ignored = restart.filter(({ reload }) => reload === 'ignored')
  if (refused.length > 0) {
    out.push(paint('31', 'A reload would refuse all of it, and keep the old configuration:'), ...refused.map(({ why }) => `  ${why}`))
  } else if (ignored.length === changes.length) {
    out.push('A reload would change nothing:', ...ignored.map(({ why }) => `  ${why}`))
  } else {
    out.push(paint('32', ignored.length > 0 ? 'A reload takes over at once everything but this:' : 'A reload takes over all of it at once.'), ...ignored.map(({ why }) => `  ${why}`))
    for (const { agent, what: effect } of agents) out.push(`  agent '${printableText(agent)}': ${effect}`)
  }
  return out.join('\n') + '\n'
}
