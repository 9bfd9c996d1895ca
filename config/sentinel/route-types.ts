/** Kinds of values that several blocks of a route use. */
import { nearest } from '../kdl/nearest.ts'
import type { KdlNode } from '../kdl/nodes.ts'
import { sizeWithin } from '../schema/quantities.ts'
import type { ValueType } from '../schema/value.ts'
import { unfit } from '../schema/value.ts'
import { bool, integer, number, words } from '../schema/values.ts'

const priorities: Readonly<Record<string, number>> = { critical: 1000, high: 100, normal: 50, low: 10 }

/** The priority below which a route needs no conditions: it is there to catch the rest. */
export const lowPriority = 10

export const priority: ValueType<number> = {
  name: 'priority',
  expected: 'a whole number or one of critical, high, normal, low',
  words: Object.keys(priorities),
  json: { anyOf: [{ type: 'integer' }, { enum: Object.keys(priorities) }] },
  parse (raw, context) {
    const word = typeof raw === 'string' ? raw.toLowerCase() : undefined
    // Some write "medium" for what is "normal".
    const value = word === undefined ? undefined : priorities[word === 'medium' ? 'normal' : word]
    if (value !== undefined) return { value }
    const result = integer(-1_000_000, 1_000_000).parse(raw, context)
    if ('value' in result || word === undefined) return result
    const near = nearest(word, Object.keys(priorities))
    return near === undefined ? result : { wrong: '', hint: `did you mean "${near}"?` }
  },
}

/** A share in percent; with quotes, or with the sign, too. */
export const percent: ValueType<number> = {
  name: 'percentage',
  expected: 'a number from 0 to 100',
  example: '10, 0.5',
  json: { type: 'number', minimum: 0, maximum: 100 },
  parse (raw, context) {
    const plain = typeof raw === 'string' && /^\d+(?:\.\d+)?\s?%?$/.test(raw) ? Number(raw.replace(/\s?%$/, '')) : raw
    const result = number.parse(plain, context)
    if ('wrong' in result) return unfit
    return result.value >= 0 && result.value <= 100 ? result : unfit
  },
}

/** A price. */
export const cost: ValueType<number> = {
  ...number,
  expected: 'a number of at least 0',
  json: { type: 'number', minimum: 0 },
  parse (raw, context) {
    const result = number.parse(raw, context)
    return 'value' in result && result.value < 0 ? unfit : result
  },
}

/** More than nothing. */
export const someBytes = sizeWithin('1')

export const many = integer(1, 1_000_000_000)

export const provider = words(['openai', 'anthropic', 'generic'], { also: { openai: ['open-ai'] } })

/** A switch of which only one position is built. */
export function switchFixedTo (fixed: boolean, why: string): ValueType<boolean> {
  return {
    ...bool,
    parse (raw, context) {
      const result = bool.parse(raw, context)
      return 'wrong' in result || result.value === fixed ? result : { value: fixed, notBuilt: why }
    },
  }
}

/** `name "a" { … }` within: a block whose child names are values. Gives the children as nodes `kind "name" …`. */
export function namedByChild (node: KdlNode, kind: string): KdlNode[] {
  return (node.children ?? []).map(child => ({ ...child, name: kind, args: [{ value: child.name, at: child.at }, ...child.args] }))
}

/** A block around nodes that stood alone: `path "/x"` → `matches { path "/x" }`. */
export function inside (name: string): (node: KdlNode) => readonly KdlNode[] {
  return node => [{ name, at: node.at, args: [], props: [], children: [node] }]
}
