import type { JsonValue } from '../kdl/json.ts'
import { jsonOf } from '../kdl/json.ts'
import type { KdlNode } from '../kdl/nodes.ts'
import type { Position } from '../kdl/position.ts'
import { kdlHead, kdlName, kdlValue } from '../kdl/write.ts'
import type { EffectiveValue } from './effective-value.ts'
import type { Effective, EffectiveBlock, EffectiveSetting } from './effective.ts'
import { settingName } from './field.ts'

export interface PrintEffectiveOptions {
  /** How a place is shown: "sentinel.kdl:12". */
  readonly place: (at: Position) => string
  /** Leave out what is there by default. */
  readonly onlyGiven?: boolean
}

interface Line {
  readonly depth: number
  readonly text: string
  /** Where it comes from; nothing for the end of a block. */
  readonly from?: string
}

/** Widest line that others are aligned with. */
const widestColumn = 72

/** The tree as a configuration that means the same, each line with a comment that says where it comes from. */
export function printEffective (tree: readonly Effective[], options: PrintEffectiveOptions): string {
  const lines = linesOf(tree, 0, options)
  const texts = lines.map(({ depth, text }) => '    '.repeat(depth) + text)
  const column = Math.max(0, ...texts.map(text => text.length).filter(length => length <= widestColumn))
  return texts.map((text, index) => {
    const from = lines[index]?.from
    return from === undefined ? text : `${text.padEnd(column)}  // ${from}`
  }).join('\n') + (texts.length > 0 ? '\n' : '')
}

function linesOf (tree: readonly Effective[], depth: number, options: PrintEffectiveOptions): Line[] {
  return tree.flatMap(member => options.onlyGiven === true && !isGiven(member) ? [] : linesOfMember(member, depth, options))
}

function linesOfMember (member: Effective, depth: number, options: PrintEffectiveOptions): Line[] {
  switch (member.kind) {
    case 'setting': {
      const text = settingText(member)
      if (member.open === true) return [{ depth, text: `// ${text}`, from: 'default, unless the settings beside it say otherwise' }]
      return [{ depth, text, from: origin(member, options) }]
    }
    case 'free': return freeLines(member.node, depth, origin(member, options))
    case 'group': {
      if (!member.gathered) return member.members.flatMap(block => blockLines(block, depth, options))
      const inside = member.members.flatMap(block => blockLines(block, depth + 1, options))
      return [{ depth, text: `${kdlName(member.name)} {`, from: origin(member, options) }, ...inside, { depth, text: '}' }]
    }
    case 'block': return blockLines(member, depth, options)
  }
}

function blockLines (block: EffectiveBlock, depth: number, options: PrintEffectiveOptions): Line[] {
  const { head, rest } = headOf(block)
  const from = origin(block, options)
  // Written out, its absence would mean something else.
  if (block.open === true) return []
  const inside = linesOf(rest, depth + 1, options)
  if (inside.length === 0 && block.at === undefined) return []
  if (inside.length === 0) return [{ depth, text: rest.length < block.members.length ? head : `${head} {}`, from }]
  return [{ depth, text: `${head} {`, from }, ...inside, { depth, text: '}' }]
}

/** Values that stand right after the name, as far as they came so: `target "a:80" {`. */
function headOf (block: EffectiveBlock): { readonly head: string, readonly rest: readonly Effective[] } {
  const head = [kdlName(block.name), ...block.id === undefined ? [] : [kdlValue(block.id, block.idWritten === true)]]
  const rest = [...block.members]
  for (const key of block.thing === undefined ? block.row.args ?? [] : []) {
    const field = block.fields[key]
    const name = field === undefined ? key : settingName(key, field)
    const index = rest.findIndex(member => member.name === name)
    const member = rest[index]
    const [value] = member?.kind === 'setting' ? member.values : []
    if (member?.kind !== 'setting' || value === undefined || member.at?.line !== block.at?.line || member.values.length > 1 || member.spelling !== undefined) break
    head.push(valueText(value))
    rest.splice(index, 1)
  }
  return { head: head.join(' '), rest }
}

function settingText (setting: EffectiveSetting): string {
  return [kdlName(setting.spelling ?? setting.name), ...setting.values.map(valueText)].join(' ')
}

/** A value as KDL, as it may be shown to anybody. */
export function valueText (value: EffectiveValue): string {
  return kdlValue(value.value, value.hidden === 'written')
}

function freeLines (node: KdlNode, depth: number, from: string): Line[] {
  const head = kdlHead(node)
  if (node.children === undefined) return [{ depth, text: head, from }]
  if (node.children.length === 0) return [{ depth, text: `${head} {}`, from }]
  return [{ depth, text: `${head} {`, from }, ...node.children.flatMap(child => freeLines(child, depth + 1, from)), { depth, text: '}' }]
}

function origin (member: Effective, options: PrintEffectiveOptions): string {
  const notes: string[] = [member.at === undefined ? 'default' : options.place(member.at)]
  const instead = member.kind === 'setting' ? member.values.find(value => value.notBuilt !== undefined)?.notBuilt : undefined
  if (member.kind === 'setting' && member.values.some(value => value.hidden === 'withheld')) notes.push('secret')
  if (member.row.inert !== undefined) notes.push(`no effect: ${member.row.inert}`)
  else if (!member.inEffect) notes.push(instead === undefined ? 'not in effect yet' : `not in effect yet: ${instead}`)
  return notes.join(', ')
}

/** Whether it or something in it stands in a file. */
export function isGiven (member: Effective): boolean {
  if (member.kind === 'block' && member.at === undefined) return member.members.some(isGiven)
  return member.at !== undefined
}

export interface EffectiveEntry {
  readonly path: string
  readonly value: JsonValue
  /** `undefined`: it is a default. */
  readonly at: Position | undefined
  readonly inEffect: boolean
  /** The default may be overruled by what stands beside it. */
  readonly open?: true
  /** The value is not shown, or shown as the text that names it. */
  readonly hidden?: 'written' | 'withheld'
}

/** All settings of a tree, one after another. A block that holds nothing is one, too. */
export function effectiveEntries (tree: readonly Effective[], options: { readonly onlyGiven?: boolean } = {}): EffectiveEntry[] {
  return tree.flatMap((member): EffectiveEntry[] => {
    if (options.onlyGiven === true && !isGiven(member)) return []
    const { path, at, inEffect } = member
    if (member.kind === 'free') {
      const value = jsonOf([member.node])[member.node.name] ?? null
      return [{ path, value, at, inEffect, ...JSON.stringify(value) === JSON.stringify(member.json) ? {} : { hidden: 'withheld' as const } }]
    }
    if (member.kind !== 'setting') {
      const inside = effectiveEntries(member.members, options)
      return inside.length > 0 || at === undefined ? inside : [{ path, value: {}, at, inEffect }]
    }
    const values = member.values.map(({ value }) => typeof value === 'number' && !Number.isFinite(value) ? String(value) : value)
    const hidden = member.values.find(value => value.hidden !== undefined)?.hidden
    return [{
      path, value: member.row.shape === 'list' ? values : values[0] ?? null, at, inEffect,
      ...member.open === undefined ? {} : { open: true }, ...hidden === undefined ? {} : { hidden },
    }]
  })
}
