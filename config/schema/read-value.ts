import type { KdlEntry, KdlNode } from '../kdl/nodes.ts'
import { shown } from '../kdl/nodes.ts'
import type { Place } from './field.ts'
import { unitInName } from './quantities.ts'
import type { Fit, Mismatch, ValueContext, ValueType } from './value.ts'
import { isMismatch } from './value.ts'

export interface ReadOptions {
  /** Milliseconds that a number without a unit stands for, where old files write one. */
  readonly bareUnitMs?: number
  readonly secret?: boolean
}

/** One value, checked; `undefined` after a problem was reported. `as` is the name it was given under, which may carry a unit. */
export function readValue<T> (type: ValueType<T>, entry: KdlEntry, place: Place, as: string, options: ReadOptions): T | undefined {
  if (entry.tag !== undefined) {
    place.report.error('CONFIG_SYNTAX', `'${place.name}' takes no type annotation`, entry.at, 'leave out the part in parentheses')
    return undefined
  }
  if (entry.unusable === true) {
    place.report.unreadable(type.refersTo ?? [])
    return undefined
  }
  if (type.takesVariables !== true && isVariable(entry, place)) return undefined
  const outside = entry.written !== undefined
  // JSON has no positions in a file; its texts may have come from the environment on the way here.
  const secret = outside || options.secret === true
  const context = { folder: place.folderOf(entry.at.file), lenient: outside || entry.at.file === '', secret, textOnly: place.textOnly }
  const result = parseWithUnit(type, entry, context, as, options)
  if (isMismatch(result)) {
    reportMismatch(type, entry, place, result, options)
    return undefined
  }
  if (result.notBuilt !== undefined) {
    place.report.warning('CONFIG_NOT_BUILT', `${place.name} ${shown(entry)} is accepted, but not in effect yet`, entry.at, result.notBuilt)
  }
  if (type.refersTo === undefined || typeof entry.value !== 'string') return result.value
  place.report.refer(type.refersTo, entry, entry.value, place, { exports: type.exports === true, mentions: type.mentions === true })
  // A reference is a text: its type says so.
  return place.report.meantBy(type.refersTo, entry.value, place.names, type.exports === true) as T
}

/** Reports a value for each request where only one for all of them makes sense. */
function isVariable (entry: KdlEntry, place: Place): boolean {
  const [first] = entry.variables ?? []
  if (first === undefined) return false
  place.report.error('CONFIG_ENVIRONMENT', `'${place.name}' takes no facts about requests: \${${first}} has no value here`, entry.at, 'write $${ for a plain ${')
  return true
}

/** Of a block of free settings: they are somebody's who never sees a request being made. */
export function refuseVariables (node: KdlNode, place: Place): void {
  for (const entry of [...node.args, ...node.props]) isVariable(entry, { ...place, name: node.name })
  for (const child of node.children ?? []) refuseVariables(child, place)
}

/** As the type reads it, and as the unit in the name it was given under says. */
export function parseWithUnit<T> (type: ValueType<T>, entry: KdlEntry, context: ValueContext, as: string, options: ReadOptions): Fit<T> | Mismatch {
  if (type.quantity === undefined) return type.parse(entry.value, context)
  const unit = unitInName(as, type.quantity)
  const digits = context.lenient && typeof entry.value === 'string' && /^\d+$/.test(entry.value)
  const plain = typeof entry.value === 'number' || digits ? Number(entry.value) : undefined
  const factor = unit ?? (plain === undefined ? undefined : options.bareUnitMs)
  if (factor === undefined || type.fromNumber === undefined) return type.parse(entry.value, context)
  if (plain === undefined || !Number.isSafeInteger(plain) || plain < 0) {
    return { wrong: `'${as}' takes a whole number without a unit`, hint: typeof entry.value === 'string' ? 'write the setting without the unit in its name to give one' : '' }
  }
  return type.fromNumber(plain * factor)
}

function reportMismatch (type: ValueType<unknown>, entry: KdlEntry, place: Place, result: Mismatch, options: ReadOptions): void {
  const found = options.secret === true ? 'something else' : shown(entry)
  const why = result.wrong === '' ? '' : `: ${result.wrong}`
  const example = type.example === undefined ? undefined : `for example ${type.example}`
  const hint = result.hint !== undefined && result.hint !== '' ? result.hint : result.wrong === '' ? example : undefined
  const message = result.code === 'CONFIG_FILE'
    ? `'${place.name}' of ${place.scope} names ${found}${why}`
    : `'${place.name}' must be ${type.expected}, found ${found}${why}`
  place.report.error(result.code ?? 'CONFIG_TYPE', message, entry.at, hint)
}

/** The default, through the same code that reads files: a wrong one in the table fails when the table is loaded. */
export function readDefault<T> (type: ValueType<T>, written: string | number | boolean): T {
  const result = type.parse(written, { folder: '/', lenient: false, secret: false, isDefault: true })
  if (isMismatch(result)) throw new Error(`the default ${JSON.stringify(written)} is not ${type.expected}${result.wrong === '' ? '' : `: ${result.wrong}`}`)
  return result.value
}

/** Nothing but values may follow the name. */
export function onlyArguments (node: KdlNode, place: Place): void {
  refuseAnnotation(node, place)
  for (const prop of node.props) {
    place.report.error('CONFIG_EXTRA', `'${place.name}' takes no property '${prop.name}'`, prop.nameAt)
  }
  if (node.children !== undefined) {
    place.report.error('CONFIG_EXTRA', `'${place.name}' takes no block`, node.children[0]?.at ?? node.at)
  }
}

export function refuseAnnotation (node: KdlNode, place: Place): void {
  if (node.tag !== undefined) place.report.error('CONFIG_SYNTAX', `'${place.name}' takes no type annotation`, node.at, 'leave out the part in parentheses')
}

/** Told once for each use of another spelling than the preferred one. */
export function noteSpelling (node: KdlNode, place: Place): void {
  if (node.name === place.name) return
  place.report.note('CONFIG_OTHER_SPELLING', `'${node.name}' is another spelling of '${place.name}'`, node.at)
}

/** The node that counts, of those that should be one. */
export function single (given: readonly KdlNode[], place: Place): KdlNode | undefined {
  const [first, ...more] = given
  for (const node of more) {
    if (first === undefined) break
    const also = node.name === first.name ? '' : ` (as '${first.name}' and as '${node.name}')`
    place.report.add('error', 'CONFIG_REPEATED', `'${place.name}' of ${place.scope} is given twice${also}`, node.at,
      { related: { message: 'it was given before', position: first.at } })
  }
  return first
}
