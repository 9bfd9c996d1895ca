import { flattened, lowerFirst, packable, rowOf, typeOf, zeroOf, type Row } from './rows.ts'
import type { Enumeration, Message, Schema, Service } from './schema.ts'

/** The TypeScript source of types and codec of one .proto file. `from` names that file in the header comment. */
export function printCodec (schema: Schema, from: string): string {
  const called = new Set(schema.services.flatMap((s) => s.methods.flatMap((m) => [m.request, m.response])))
  const body = [
    ...schema.enums.map(printEnum),
    ...schema.messages.filter((m) => m.name !== flattened).map((m) => printMessage(m, called.has(m.name))),
    ...schema.services.map((s) => printService(s, schema.package)),
  ].join('\n')
  const values = (names: readonly string[]): string[] => names.filter((name) => new RegExp(`\\b${name}\\b`).test(body))
  const imports = [
    ...importLine(values(['noEntries', 'readEntry', 'writeEntries']), values(['Entries']), './entries.ts'),
    ...importLine(values(['readFieldLine', 'writeFieldLines']), values(['FieldLines']), './field-lines.ts'),
    ...importLine(['decode'], ['Reader'], './reader.ts'),
    ...importLine(values(['numberOf']), values(['Unrecognized']), './words.ts'),
    ...importLine(['encode'], ['Writer'], './writer.ts'),
  ]
  return [
    `// Made from ${from} by proto/generate.ts (node dist/proto/generate.js). Do not edit.`,
    ...imports, '',
    ...values(['noBytes']).map((name) => `const ${name}: Buffer = Buffer.alloc(0)\n`),
    body,
  ].join('\n')
}

function importLine (values: readonly string[], types: readonly string[], file: string): string[] {
  if (values.length === 0) return types.length === 0 ? [] : [`import type { ${types.join(', ')} } from '${file}'`]
  return [`import { ${[...values, ...types.map((t) => `type ${t}`)].join(', ')} } from '${file}'`]
}

function printEnum (e: Enumeration): string {
  const words = lowerFirst(e.name) + 'Words'
  return [
    `/** Words of \`${e.name}\`; the index is the number on the wire. */`,
    `export const ${words} = [`, ...wrap(e.words.map(quote)), '] as const',
    ...docLines(e.doc === '' ? `A word of \`${e.name}\`, or "unrecognized" for a number that this version has no word for.` : e.doc, ''),
    `export type ${e.name} = typeof ${words}[number] | Unrecognized`,
    `const ${lowerFirst(e.name)}Numbers = new Map<string, number>(${words}.map((word, i) => [word, i]))`,
    '',
  ].join('\n')
}

/** `called`: a request or response of a service, which gets functions of its own from bytes and to bytes. */
function printMessage (m: Message, called: boolean): string {
  const rows = m.fields.map((f) => rowOf(m, f, false))
  const choices = m.choices.map((f) => rowOf(m, f, true))
  return [...printType(m, rows, choices), '', ...printEmpty(m, rows, choices), '', ...printWrite(m, rows, choices), '',
    ...printRead(m, rows, choices), '', ...(called ? [...printEnds(m), ''] : [])].join('\n')
}

function printType (m: Message, rows: readonly Row[], choices: readonly Row[]): string[] {
  const fields = rows.flatMap((row) => [...docLines(row.doc, '  '), `  readonly ${row.key}: ${typeOf(row)}`])
  if (choices.length === 0 && fields.length === 0) return [...docLines(m.doc, ''), `export type ${m.name} = Readonly<Record<never, never>>`]
  if (choices.length === 0) return [...docLines(m.doc, ''), `export interface ${m.name} {`, ...fields, '}']
  const kinds = choices.flatMap((row) => [
    ...docLines(row.doc, '  '),
    `  | { readonly kind: ${quote(row.name)}, readonly value: ${typeOf(row)} }`,
  ])
  return [
    ...docLines(m.doc, ''),
    `export type ${m.name} = ${fields.length === 0 ? '' : `${m.name}Fields & `}${m.name}OneOf`,
    '',
    ...(fields.length === 0 ? [] : [`export interface ${m.name}Fields {`, ...fields, '}', '']),
    `/** \`kind\` is undefined when the peer set none, or one that this version does not know. */`,
    `export type ${m.name}OneOf =`,
    '  | { readonly kind: undefined, readonly value: undefined }',
    ...kinds,
  ]
}

function printEmpty (m: Message, rows: readonly Row[], choices: readonly Row[]): string[] {
  const values = rows.map((row) => `${row.key}: ${zeroOf(row)}`)
  if (choices.length > 0) values.push('kind: undefined', 'value: undefined')
  const open = `/** Every field at its default, to be spread. */\nexport const empty${m.name}: ${m.name} = {`
  return values.length === 0 ? [`${open}}`] : [open, ...values.map((v) => `  ${v},`), '}']
}

function printWrite (m: Message, rows: readonly Row[], choices: readonly Row[]): string[] {
  const unused = rows.length + choices.length === 0
  const parts = rows.map((row) => ({ id: row.id, lines: writeField(row) }))
  if (choices.length > 0) parts.push({ id: Math.max(...choices.map((c) => c.id)), lines: writeChoice(choices) })
  // From the back to the front, as the writer goes.
  parts.sort((a, b) => b.id - a.id)
  return [
    `export function write${m.name} (${unused ? '_w' : 'w'}: Writer, ${unused ? '_m' : 'm'}: ${m.name}): void {`,
    ...parts.flatMap((part) => part.lines.map((line) => `  ${line}`)),
    '}',
  ]
}

function writeField (row: Row): string[] {
  const value = `m.${row.key}`
  if (row.kind === 'entries') return [`writeEntries(w, ${value}, ${row.tag})`]
  if (row.kind === 'lines') return [`writeFieldLines(w, ${value}, ${row.tag})`]
  if (row.repeated && packable(row)) {
    return [`if (${value}.length > 0) {`, '  const mark = w.used',
      `  for (let i = ${value}.length - 1; i >= 0; i--) w.uint32(${numberOf(row, `${value}[i]!`)})`, `  w.close(mark, ${row.tag})`, '}']
  }
  if (row.repeated) return [`for (let i = ${value}.length - 1; i >= 0; i--) {`, ...writeOne(row, `${value}[i]!`).map((l) => `  ${l}`), '}']
  const present = row.kind === 'message' || row.optional ? `${value} !== undefined`
    : row.kind === 'enum' ? `${value} !== ${zeroOf(row)}`
      : row.method === 'bytes' ? `${value}.length > 0`
        : row.method === 'bool' ? value : `${value} !== ${zeroOf(row)}`
  return [`if (${present}) {`, ...writeOne(row, value).map((l) => `  ${l}`), '}']
}

function writeChoice (choices: readonly Row[]): string[] {
  return [
    'switch (m.kind) {',
    ...choices.flatMap((row) => [`  case ${quote(row.name)}: {`, ...writeOne(row, 'm.value').map((l) => `    ${l}`), '    break', '  }']),
    '}',
  ]
}

function writeOne (row: Row, value: string): string[] {
  if (row.kind === 'message') return ['const mark = w.used', `write${row.type}(w, ${value})`, `w.close(mark, ${row.tag})`]
  return [`w.${row.method}(${numberOf(row, value)})`, `w.uint32(${row.tag})`]
}

function printRead (m: Message, rows: readonly Row[], choices: readonly Row[]): string[] {
  const names = [...rows.map((row) => row.key), ...(choices.length > 0 ? ['kind', 'value'] : [])]
  const made = names.length === 0 ? ['  return {'] : ['  return {', ...wrap(names).map((line) => `  ${line}`)]
  const result = choices.length > 0
    ? [`  // \`kind\` and \`value\` are only ever set together.`, ...made, `  } as ${m.name}`]
    : names.length === 0 ? ['  return {}'] : [...made, '  }']
  return [
    `export function read${m.name} (r: Reader, until: number): ${m.name} {`,
    ...rows.map((row) => `  ${declare(row)}`),
    ...(choices.length > 0 ? [`  let kind: ${m.name}['kind']`, `  let value: ${m.name}['value']`] : []),
    '  while (r.pos < until) {',
    '    const tag = r.uint32()',
    ...(names.length === 0 ? ['    r.skip(tag)'] : [
      '    switch (tag) {',
      ...rows.flatMap((row) => readField(row).map((line) => `      ${line}`)),
      ...choices.map((row) => `      case ${row.tag}: kind = ${quote(row.name)}; value = ${readOne(row)}; break`),
      '      default: r.skip(tag)',
      '    }',
    ]),
    '  }',
    '  r.close(until)',
    ...result,
    '}',
  ]
}

function readField (row: Row): string[] {
  if (row.kind === 'entries') {
    return [`case ${row.tag}: {`, `  if (${row.key} === noEntries) ${row.key} = new Map()`,
      `  // Made by the line above; only the type says that others may not change it.`,
      `  readEntry(r, until, ${row.key} as Map<string, string>)`, '  break', '}']
  }
  if (row.kind === 'lines') return [`case ${row.tag}: readFieldLine(r, until, ${row.key}); break`]
  if (!row.repeated) return [`case ${row.tag}: ${row.key} = ${readOne(row)}; break`]
  const plain = `case ${packable(row) ? row.id << 3 : row.tag}: ${row.key}.push(${readOne(row)}); break`
  if (!packable(row)) return [plain]
  const loop = `  while (r.pos < last) ${row.key}.push(${readOne(row)})`
  return [plain, `case ${row.tag}: {`, '  const last = r.open(until)', loop, '  r.close(last)', '  break', '}']
}

function readOne (row: Row): string {
  if (row.kind === 'message') return `read${row.type}(r, r.open(until))`
  if (row.kind === 'enum') return `${wordsOf(row)}[r.uint32()] ?? 'unrecognized'`
  return `r.${row.method}()`
}

function printEnds (m: Message): string[] {
  return [
    `export function encode${m.name} (message: ${m.name}): Buffer {`, `  return encode(write${m.name}, message)`, '}', '',
    `export function decode${m.name} (bytes: Uint8Array): ${m.name} {`, `  return decode(read${m.name}, bytes)`, '}',
  ]
}

function printService (s: Service, packageName: string): string {
  return [
    ...docLines(s.doc, ''),
    `export const ${lowerFirst(s.name)}Service = {`,
    `  name: '${packageName}.${s.name}',`,
    ...s.methods.flatMap(({ name, doc }) => [...docLines(doc, '  '), `  ${lowerFirst(name)}: '/${packageName}.${s.name}/${name}',`]),
    '} as const',
    '',
  ].join('\n')
}

function numberOf (row: Row, value: string): string {
  return row.kind === 'enum' ? `numberOf(${lowerFirst(row.type)}Numbers, ${value})` : value
}

function wordsOf (row: Row): string {
  return lowerFirst(row.type) + 'Words'
}

function docLines (doc: string, indent: string): string[] {
  if (doc === '') return []
  const lines = doc.split('\n')
  if (lines.length === 1) return [`${indent}/** ${doc} */`]
  return [`${indent}/**`, ...lines.map((l) => `${indent} * ${l}`.trimEnd()), `${indent} */`]
}

function quote (text: string): string {
  return `'${text}'`
}

/** The local variable that collects a field while a message is read. */
function declare (row: Row): string {
  if (row.kind === 'lines') return `const ${row.key}: string[] = []`
  if (row.repeated) return `const ${row.key}: ${typeOf(row).replace('readonly ', '')} = []`
  if (row.kind === 'message' || row.optional) return `let ${row.key}: ${typeOf(row)}`
  return row.kind === 'scalar' ? `let ${row.key} = ${zeroOf(row)}` : `let ${row.key}: ${typeOf(row)} = ${zeroOf(row)}`
}

/** Items with commas, in lines of moderate length. */
function wrap (items: readonly string[]): string[] {
  const lines: string[] = []
  let line = ' '
  for (const item of items) {
    if (line.length + item.length > 120) {
      lines.push(line)
      line = ' '
    }
    line += ` ${item},`
  }
  return [...lines, line]
}
