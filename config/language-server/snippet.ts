import type { Fields, Row, ValueType } from '../schema/index.ts'
import { settingName } from '../schema/index.ts'

const indent = '    '
/** A list to choose from in the middle of a text: longer ones are for the completion of the value. */
const mostChoices = 20

/** Text with places to fill in, as editors understand it (`$1`, `${1:text}`, `${1|a,b|}`, `$0`). */
export interface Writer {
  /** Number of the next place. */
  place: number
  /** Names that there are of these kinds. */
  readonly namesOf: (kinds: readonly string[]) => readonly string[]
}

export function settingSnippet (name: string, row: Row, fields: Fields, writer: Writer): string {
  if (row.kind !== undefined) return name === row.kind ? thing(name, fields, writer) : `${name} {\n${shifted(thing(row.kind, fields, writer))}\n}`
  switch (row.shape) {
    case 'value': case 'list': return `${name} ${value(row, writer)}`
    case 'block': case 'blocks': return blockSnippet(name, row, fields, writer)
    case 'map': case 'json': case 'anything': return row.shape === 'anything' ? `${name} $0` : `${name} {\n${indent}$0\n}`
  }
}

function thing (name: string, fields: Fields, writer: Writer): string {
  const id = `"\${${writer.place++}:name}"`
  return `${name} ${id} {\n${inside(fields, [], writer)}${indent}$0\n}`
}

/** What can be said in one line is. */
function blockSnippet (name: string, row: Row, fields: Fields, writer: Writer): string {
  const own = row.args ?? []
  const alone = Object.entries(fields).every(([key, field]) => own.includes(key) || field.row.notBuilt === true)
  const args = own.filter((key, index) => fields[key]?.row.required === true || (alone && index === 0))
  const values = args.map(key => ` ${value(fields[key]?.row, writer)}`).join('')
  const rest = inside(fields, own, writer)
  if (values !== '' && rest === '') return `${name}${values}`
  return `${name}${values} {\n${rest}${indent}$0\n}`
}

/** What has to be given. */
function inside (fields: Fields, without: readonly string[], writer: Writer): string {
  return Object.entries(fields).flatMap(([key, field]) => {
    const { row } = field
    if (without.includes(key) || row.required !== true || row.notBuilt === true || (row.shape !== 'value' && row.shape !== 'list')) return []
    return [`${indent}${settingName(key, field)} ${value(row, writer)}\n`]
  }).join('')
}

function value (row: Row | undefined, writer: Writer): string {
  const place = writer.place++
  const { type } = row ?? {}
  const choices = choicesOf(type, row?.default, writer)
  const text = choices.length > 1 && choices.length <= mostChoices
    ? `\${${place}|${choices.map(choice => choice.replace(/[\\,|]/g, '\\$&')).join(',')}|}`
    : row?.default === undefined || row.default === '' ? `$${place}` : `\${${place}:${escaped(row.default)}}`
  return quotes(type, row?.default) ? `"${text}"` : text
}

/** The word that is probably wanted first: not the one that is there anyway. */
function choicesOf (type: ValueType<unknown> | undefined, byDefault: string | undefined, writer: Writer): readonly string[] {
  if (type === undefined) return []
  if (type.json['type'] === 'boolean') return byDefault === '#true' ? ['#false', '#true'] : ['#true', '#false']
  if (type.refersTo !== undefined) return writer.namesOf(type.refersTo)
  return type.words ?? []
}

/** Whether a value is written in quotes. Numbers and truth values are not; durations and sizes have a unit and are. */
export function quotes (type: ValueType<unknown> | undefined, byDefault?: string): boolean {
  const kind = type?.json['type']
  if (kind === 'boolean' || kind === 'integer' || kind === 'number') return false
  if (type?.quantity === 'size' && byDefault !== undefined) return !/^\d+$/.test(byDefault)
  return true
}

export function escaped (text: string): string {
  return text.replace(/[\\$}]/g, '\\$&')
}

function shifted (text: string): string {
  return text.split('\n').map(line => indent + line).join('\n')
}
