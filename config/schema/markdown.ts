import type { Field, Fields, Row } from './field.ts'
import { kebab, settingName } from './field.ts'

/** Reference pages: a table for each block. `level` is the level of the first heading, `path` what is around them. */
export function toMarkdown (fields: Fields, level = 2, path: readonly string[] = []): string {
  const out: string[] = []
  const top = Object.entries(fields).filter(([, field]) => fieldsOf(field) === undefined)
  if (top.length > 0) out.push(tableOf(Object.fromEntries(top)))
  writeBlocks(fields, path, level, out)
  return out.join('\n').replace(/\n{3,}/g, '\n\n').trimEnd() + '\n'
}

function writeBlocks (fields: Fields, path: readonly string[], level: number, out: string[]): void {
  for (const [key, field] of Object.entries(fields)) {
    const inner = fieldsOf(field)
    if (inner === undefined) continue
    const { row } = field
    const here = [...path, settingName(key, field)]
    out.push('', `${'#'.repeat(Math.min(level, 6))} \`${here.join(' › ')}\``, '', sentence(field), '')
    if (row.kind !== undefined) out.push('```kdl', `${settingName(key, field)} {`, `    ${row.kind} "name" { … }`, '}', '```', '')
    if (row.args !== undefined) out.push(`Short form: \`${settingName(key, field)} ${row.args.map(arg => `<${kebab(arg)}>`).join(' ')}\`.`, '')
    if (Object.keys(inner).length > 0) out.push(tableOf(inner))
    writeBlocks(inner, row.kind === undefined ? here : [...here, row.kind], level + 1, out)
    writeVariants(row, here, level + 1, out)
  }
}

function writeVariants (row: Row, path: readonly string[], level: number, out: string[]): void {
  if (row.variants === undefined) return
  for (const [word, fields] of Object.entries(row.variants.of)) {
    out.push('', `${'#'.repeat(Math.min(level, 6))} \`${path.join(' › ')}\` of \`${row.variants.tag} "${word}"\``, '', tableOf(fields))
    writeBlocks(fields, [...path, row.kind ?? word], level + 1, out)
  }
  if (row.variants.notBuilt.length > 0) out.push('', `Accepted, not in effect yet: ${row.variants.notBuilt.map(word => `\`${row.variants?.tag} "${word}"\``).join(', ')}.`)
}

function tableOf (fields: Fields): string {
  const built = Object.entries(fields).filter(([, field]) => field.row.notBuilt !== true)
  const later = Object.entries(fields).filter(([, field]) => field.row.notBuilt === true)
  const rows = built.map(([key, field]) => `| \`${settingName(key, field)}\` | ${typeOf(field)} | ${defaultOf(field.row)} | ${sentence(field)} |`)
  const table = rows.length === 0 ? [] : ['| setting | type | default | meaning |', '| --- | --- | --- | --- |', ...rows]
  const names = later.map(([key, field]) => `\`${settingName(key, field)}\``)
  return [...table, ...(names.length === 0 ? [] : ['', `Accepted, not in effect yet: ${names.join(', ')}.`])].join('\n')
}

function fieldsOf (field: Field<unknown>): Fields | undefined {
  return field.row.notBuilt === true ? undefined : field.row.fields
}

function typeOf ({ row }: Field<unknown>): string {
  const { type } = row
  if (row.shape === 'block') return 'block'
  if (row.shape === 'blocks') return row.kind === undefined ? 'blocks' : `blocks \`${row.kind}\``
  if (row.shape === 'json') return 'free block'
  if (type === undefined) return ''
  const words = type.words === undefined ? '' : `: ${type.words.map(word => `\`${word}\``).join(' ')}`
  const name = cell(type.name + words)
  if (row.shape === 'list') return `list of ${name}`
  return row.shape === 'map' ? `block of ${name}` : name
}

function defaultOf (row: Row): string {
  if (row.default !== undefined) return `\`${cell(row.default)}\``
  if (row.required === true) return '**required**'
  return ''
}

function sentence ({ row }: Field<unknown>): string {
  const spellings = [...row.within ?? [], ...row.aliases ?? []]
  const also = spellings.length === 0 ? '' : ` Also: ${spellings.map(name => `\`${name}\``).join(', ')}.`
  const example = row.type?.example === undefined ? '' : ` Example: \`${row.type.example}\`.`
  const later = row.type?.notBuiltWords === undefined ? '' : ` Not in effect yet: ${row.type.notBuiltWords.map(word => `\`${word}\``).join(' ')}.`
  const since = row.since === undefined ? '' : ` Since ${row.since}.`
  return cell(`${row.doc}${example}${later}${also}${since}`)
}

function cell (text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ')
}
