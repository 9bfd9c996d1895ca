import type { Row } from '../schema/index.ts'
import type { Meaning } from './scope.ts'

/** What a row says, as Markdown. Nothing here is written by hand: the table knows it. */
export function describe (name: string, row: Row): string {
  const out = [`**${name}** ${code(shapeOf(row))}`, row.doc]
  if (row.notBuilt === true) out.push(row.inert === undefined ? '*Accepted, not in effect yet.*' : `*Without effect: ${row.inert}.*`)
  out.push(facts(row).map(fact => `- ${fact}`).join('\n'))
  if (row.example !== undefined) out.push('```kdl\n' + row.example.trim() + '\n```')
  return out.filter(part => part !== '').join('\n\n')
}

export function describeMeaning (meaning: Meaning): string | undefined {
  switch (meaning.is) {
    case 'setting': case 'thing': return describe(meaning.name, meaning.row)
    case 'gatherer': return describe(meaning.name, meaning.row)
    case 'older': return `**${meaning.name}** is an older form.\n\n${meaning.form.doc}`
    case 'free': case 'unknown': return undefined
  }
}

/** "duration", "list of name of an agent", "blocks `route`". */
export function shapeOf (row: Row): string {
  const value = row.type?.name ?? 'value'
  switch (row.shape) {
    case 'value': return value
    case 'list': return `list of ${value}`
    case 'map': return `block of ${value}`
    case 'json': case 'anything': return 'free block'
    case 'block': return 'block'
    case 'blocks': return row.kind === undefined ? 'blocks' : `blocks of ${row.kind}`
  }
}

function facts (row: Row): string[] {
  const { type } = row
  const out: string[] = []
  if (row.required === true) out.push('It has to be given.')
  if (row.default !== undefined && row.default !== '') out.push(`Without it: ${code(row.default)}`)
  if (type !== undefined) {
    out.push(`It is ${type.expected.replace(/^one of .*/, 'one of some words')}${type.example === undefined ? '' : `, for example ${type.example}`}.`)
    if (type.words !== undefined) out.push(`Words: ${type.words.map(code).join(' ')}`)
    if (type.notBuiltWords !== undefined) out.push(`Not in effect yet: ${type.notBuiltWords.map(code).join(' ')}`)
    for (const [word, why] of Object.entries(type.refusedWords ?? {})) out.push(`Refused: ${code(word)} (${why})`)
  }
  if (row.variants !== undefined) out.push(`${code(row.variants.tag)} is one of ${Object.keys(row.variants.of).map(code).join(' ')}`)
  if (row.bareUnitMs !== undefined) out.push(`A number without a unit counts in ${row.bareUnitMs === 1000 ? 'seconds' : `${row.bareUnitMs} ms`}.`)
  if (row.args !== undefined && row.args.length > 0) out.push(`The value after its name is ${row.args.map(code).join(', then ')}.`)
  const others = [...row.within ?? [], ...row.aliases ?? []]
  if (others.length > 0) out.push(`Also written: ${others.map(code).join(' ')}`)
  if (row.secret === true) out.push('The value is never shown.')
  if (row.since !== undefined) out.push(`Since ${row.since}.`)
  return out
}

function code (text: string): string {
  return text.includes('`') ? text : `\`${text}\``
}
