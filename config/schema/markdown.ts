import type { Field, Fields, Row } from './field.ts'
import { kebab, settingName } from './field.ts'

export interface Group {
  readonly title: string
  readonly doc?: string
  /** Keys of fields, in the order to show them. */
  readonly keys: readonly string[]
}

/** A block with everything that is said about it on one page: "routes › route › matches". */
export interface BlockPage {
  /** Names as the operator writes them: `['routes', 'route', 'matches']`. */
  readonly path: readonly string[]
  /** The word of a variant: "rate-limit" for `filters › filter` of that type. */
  readonly variant?: string
  readonly row: Row
  readonly fields: Fields
  /** How many blocks are around it. */
  readonly depth: number
  /** In an earlier block the same fields were shown. */
  readonly sameAs?: BlockPage
}

/** All blocks in the order of their declaration, each followed by what is inside of it. */
export function blockPages (fields: Fields): BlockPage[] {
  const pages: BlockPage[] = []
  const seen = new Map<Fields, BlockPage>()
  const walk = (inside: Fields, path: readonly string[], depth: number): void => {
    for (const [key, field] of Object.entries(inside)) {
      const { row } = field
      if (row.fields === undefined) continue
      const own = row.kind === undefined ? [settingName(key, field)] : row.direct === true ? [row.kind] : [settingName(key, field), row.kind]
      add({ path: [...path, ...own], row, fields: row.fields, depth })
      for (const [variant, its] of Object.entries(row.variants?.of ?? {})) add({ path: [...path, ...own], variant, row, fields: its, depth: depth + 1 })
    }
  }
  const add = (page: BlockPage): void => {
    const sameAs = Object.keys(page.fields).length === 0 ? undefined : seen.get(page.fields)
    pages.push(sameAs === undefined ? page : { ...page, sameAs })
    if (sameAs !== undefined) return
    seen.set(page.fields, page)
    walk(page.fields, page.path, page.depth + 1)
  }
  walk(fields, [], 0)
  return pages
}

/** The reference: a table of contents, settings that stand alone, then a section for each block. `level` is the level of the first heading. */
export function toMarkdown (fields: Fields, groups: readonly Group[] = [{ title: '', keys: Object.keys(fields) }], level = 2): string {
  const pages = blockPages(fields)
  const out: string[] = groups.length > 1 ? [contents(groups, fields), ''] : []
  for (const { title, doc, keys } of groups) {
    if (title !== '') out.push('', `${'#'.repeat(level)} ${title}`, '', ...(doc === undefined ? [] : [doc, '']))
    const below = title === '' ? level : level + 1
    const mine = keys.flatMap(key => fields[key] === undefined ? [] : [[key, fields[key]] as const])
    const alone = mine.filter(([, { row }]) => row.fields === undefined)
    if (alone.length > 0) out.push(tableOf(Object.fromEntries(alone), []), '', ...spellings({}, Object.fromEntries(alone)))
    for (const [key, field] of mine) {
      const first = field.row.direct === true ? field.row.kind : settingName(key, field)
      for (const page of pages) if (page.path[0] === first) out.push('', blockMarkdown(page, below, pages))
    }
  }
  return out.join('\n').replace(/\n{3,}/g, '\n\n').trim() + '\n'
}

/** One setting, or a block with all that is inside of it. `path` is where it stands, `['routes', 'matches']` without the kinds of things or with them. */
export function rowMarkdown (fields: Fields, path: readonly string[], key: string, field: Field<unknown>): string {
  if (field.row.fields === undefined) return [tableOf({ [key]: field }, []), ...spellings({}, { [key]: field })].join('\n') + '\n'
  const pages = blockPages(fields)
  const own = pages.find(page => page.fields === field.row.fields && path.every(name => page.path.includes(name)))
  if (own === undefined) return ''
  const inside = pages.filter(page => own.path.every((name, index) => page.path[index] === name))
  return inside.map(page => blockMarkdown({ ...page, depth: page.depth - own.depth }, 1)).join('\n\n') + '\n'
}

/** One block: heading, meaning, example, settings. Blocks among these are linked where `pages` has them. */
export function blockMarkdown (page: BlockPage, level = 2, pages: readonly BlockPage[] = []): string {
  const { row, fields, variant, sameAs } = page
  const out = [`${'#'.repeat(Math.min(level + page.depth, 6))} ${headingOf(page)}`, '']
  const doc = variant === undefined ? row.doc : row.variants?.docs[variant] ?? ''
  const later = variant === undefined ? row.notBuilt === true : row.variants?.notBuilt.includes(variant) === true
  out.push([...later ? ['*Accepted, not in effect yet.*'] : [], doc, ...row.since === undefined || variant !== undefined ? [] : [`Since ${row.since}.`]].join(' '), '')
  const example = variant === undefined ? row.example : row.variants?.examples[variant]
  if (example !== undefined) out.push('```kdl', example.trim(), '```', '')
  if (sameAs !== undefined) out.push(`Settings: those of ${linkTo(sameAs)}.`)
  else if (Object.keys(fields).length > 0) out.push(tableOf(fields, pages))
  const notes = variant === undefined ? spellings(row, fields) : spellings({ older: row.variants?.older[variant] ?? {} }, fields)
  if (notes.length > 0 && sameAs === undefined) out.push('', ...notes)
  return out.join('\n').trimEnd()
}

function headingOf ({ path, variant, row }: BlockPage): string {
  return variant === undefined ? `\`${path.join(' › ')}\`` : `\`${path.join(' › ')}\` of ${row.variants?.tag ?? 'type'} \`${variant}\``
}

function linkTo (page: BlockPage): string {
  return `[${headingOf(page)}](#${anchorOf(page)})`
}

/** As GitHub makes them: lower case, without punctuation, spaces as "-". */
function anchorOf (page: BlockPage): string {
  return headingOf(page).toLowerCase().replaceAll(/[^a-z0-9 _-]/g, '').replaceAll(' ', '-')
}

function contents (groups: readonly Group[], fields: Fields): string {
  const pages = blockPages(fields)
  return groups.map(({ title, keys }) => {
    const links = keys.flatMap(key => {
      const field = fields[key]
      const first = field === undefined ? key : field.row.direct === true ? field.row.kind : settingName(key, field)
      const page = pages.find(candidate => candidate.path[0] === first)
      return page === undefined ? [`\`${first}\``] : [`[\`${page.path.join(' › ')}\`](#${anchorOf(page)})`]
    })
    return `- **[${title}](#${title.toLowerCase().replaceAll(/[^a-z0-9 _-]/g, '').replaceAll(' ', '-')})**: ${links.join(', ')}`
  }).join('\n')
}

function tableOf (fields: Fields, pages: readonly BlockPage[]): string {
  const linked = (key: string, field: Field<unknown>): string => {
    const page = field.row.fields === undefined ? undefined : pages.find(candidate => candidate.fields === field.row.fields)
    return page === undefined ? `\`${nameOf(key, field)}\`` : `[\`${nameOf(key, field)}\`](#${anchorOf(page)})`
  }
  const rows = Object.entries(fields).map(([key, field]) => `| ${linked(key, field)} | ${typeOf(field)} | ${defaultOf(field.row)} | ${sentence(field.row)} |`)
  return ['| setting | type | default | meaning |', '| --- | --- | --- | --- |', ...rows].join('\n')
}

function nameOf (key: string, field: Field<unknown>): string {
  return field.row.direct === true && field.row.kind !== undefined ? field.row.kind : settingName(key, field)
}

function typeOf ({ row }: Field<unknown>): string {
  const { type } = row
  if (row.shape === 'block') return row.args === undefined ? 'block' : `block; short: ${row.args.map(arg => `\`<${kebab(arg)}>\``).join(' ')}`
  if (row.shape === 'blocks') return row.kind === undefined ? `blocks${row.args === undefined ? '' : `; short: ${row.args.map(arg => `\`<${kebab(arg)}>\``).join(' ')}`}` : `blocks \`${row.kind}\``
  if (row.shape === 'json') return 'free block'
  if (type === undefined) return ''
  const words = type.words === undefined ? '' : `: ${type.words.map(word => `\`${word}\``).join(' ')}`
  const range = type.range === undefined ? '' : `, ${type.range}`
  const name = cell(type.name + words + range)
  if (row.shape === 'list') return `list of ${name}`
  return row.shape === 'map' ? `block of ${name}` : name
}

function defaultOf (row: Row): string {
  if (row.default !== undefined) return `\`${cell(row.default)}\``
  return row.required === true ? '**required**' : ''
}

function sentence (row: Row): string {
  const inert = row.inert === undefined ? '' : ` Has no effect: ${row.inert}.`
  const later = row.notBuilt === true && row.inert === undefined ? ' *Not in effect yet.*' : ''
  const words = row.type?.notBuiltWords === undefined ? '' : ` *Not in effect yet:* ${row.type.notBuiltWords.map(word => `\`${word}\``).join(' ')}.`
  const refused = Object.entries(row.type?.refusedWords ?? {}).map(([word, why]) => ` Refused: \`${word}\` (${why}).`).join('')
  const since = row.since === undefined ? '' : ` Since ${row.since}.`
  // What a duration or a size looks like is told once, at the top of the page.
  const example = row.type?.example === undefined || row.type.quantity !== undefined ? '' : ` Example: \`${row.type.example}\`.`
  return cell(`${row.doc}${example}${inert}${words}${refused}${since}${later}`)
}

/** Other ways to write what stands in a block, below its table: those who write new files need not read them. */
function spellings (row: Pick<Row, 'aliases' | 'older'>, fields: Fields): string[] {
  const names = Object.entries(fields).flatMap(([key, field]) => {
    const others = [...field.row.within ?? [], ...field.row.aliases ?? []]
    return others.length === 0 ? [] : [`${others.map(name => `\`${name}\``).join(', ')} → \`${nameOf(key, field)}\``]
  })
  const forms = Object.entries(row.older ?? {})
  const shapes = [...new Set(forms.map(([, { doc }]) => doc))].map(wanted =>
    `${forms.filter(([, { doc }]) => doc === wanted).map(([name]) => `\`${name}\``).join(', ')}: ${wanted}.`)
  const lines = [...row.aliases === undefined ? [] : [`The block is also written ${row.aliases.map(name => `\`${name}\``).join(', ')}.`],
    ...names.length === 0 ? [] : [`Names: ${names.join('; ')}.`], ...shapes]
  return lines.length === 0 ? [] : ['<details><summary>Other spellings</summary>', '', ...lines.map(line => `- ${line}`), '', '</details>']
}

function cell (text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ')
}
