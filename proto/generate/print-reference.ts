import type { Enumeration, Field, Message, Schema } from './schema.ts'

/** proto/REFERENCE.md: what the comments of the .proto file say, in tables. */
export function printReference (schema: Schema, from: string): string {
  return [
    `# ${schema.package}`, '',
    `<!-- Made from ${from} by proto/generate.ts. Do not edit. -->`, '',
    ...schema.services.flatMap((service) => [
      `## Service ${service.name}`, '', service.doc, '',
      '| call | request | response | |', '| --- | --- | --- | --- |',
      ...service.methods.map((m) => {
        const request = stream(m.requestStream) + link(m.request)
        const response = stream(m.responseStream) + link(m.response)
        return `| ${m.name} | ${request} | ${response} | ${cell(m.doc)} |`
      }),
      '',
    ]),
    ...schema.messages.flatMap(printMessage),
    ...schema.enums.flatMap(printEnum),
  ].join('\n')
}

function printMessage (m: Message): string[] {
  const fields = m.fields.concat(m.choices).toSorted((a, b) => a.id - b.id)
  return [
    `## ${m.name}`, '', ...(m.doc === '' ? [] : [m.doc, '']),
    ...(m.choices.length === 0 ? [] : [`One of ${m.choices.map((c) => `\`${c.name}\``).join(', ')}.`, '']),
    ...(fields.length === 0 ? [] : ['| no. | field | type | |', '| --- | --- | --- | --- |', ...fields.map(printField), '']),
  ]
}

function printField (f: Field): string {
  const type = f.of === 'scalar' ? f.type : link(f.type)
  const shown = f.map ? 'map of string to string' : f.repeated ? `list of ${type}` : f.optional ? `${type}, optional` : type
  return `| ${f.id} | \`${f.name}\` | ${shown} | ${cell(f.doc)} |`
}

function printEnum (e: Enumeration): string[] {
  return [
    `## ${e.name}`, '', ...(e.doc === '' ? [] : [e.doc, '']), '| no. | word | |', '| --- | --- | --- |',
    ...e.words.map((word, i) => `| ${i} | \`${word}\` | ${cell(e.docs[i] ?? '')} |`), '',
  ]
}

function link (type: string): string {
  return `[${type}](#${type.toLowerCase()})`
}

function stream (is: boolean): string {
  return is ? 'stream of ' : ''
}

function cell (doc: string): string {
  return doc.replace(/\n/g, ' ').replace(/\|/g, '\\|')
}
