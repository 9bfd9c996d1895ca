import { blocks, optionalBlock } from '../schema/blocks.ts'
import type { Field } from '../schema/field.ts'
import type { Here } from '../schema/read-block.ts'
import { map, optional, required, setting } from '../schema/fields.ts'
import type { ValueType } from '../schema/value.ts'
import { anyText, bool, existingFile, existingFolder, integer, oneOf } from '../schema/values.ts'
import { fieldValue } from './header-edits.ts'
import { pageFormats, pageVariables, readTemplate, readTemplates, type FolderTemplate, type PageTemplate } from './error-template.ts'
import { namedByChild } from './route-types.ts'

const format = oneOf(...pageFormats)

/** A node's name is always a text: a status among names is written in digits. */
const statusName: ValueType<number> = {
  ...integer(400, 599),
  expected: 'a status from 400 to 599',
  parse: (raw, context) => integer(400, 599).parse(typeof raw === 'string' && /^\d{3}$/.test(raw) ? Number(raw) : raw, context),
}

const pageFields = {
  status: required(statusName, 'Status of the answer.'),
  format: optional(format, 'How it is written, whatever the client likes; without it the client chooses, and `default-format` where it does not.'),
  message: optional(anyText, 'What it says, in place of the proxy\'s own sentence.'),
  template: optional(existingFile, `File with the whole page; its ending says how it is written, where \`format\` does not. Variables stand in \`{{ }}\`: ${pageVariables.join(', ')}. Their values are escaped.`),
  headers: map(fieldValue, 'Header fields of the answer.'),
}

type PageHere = Pick<Here<typeof pageFields>, 'scope' | 'textOnly' | 'report' | 'where'>

const page = blocks(pageFields, 'One page.', {
  name: 'pages',
  args: ['status'],
  build (value, here) {
    if (value.message !== undefined && value.template !== undefined) here.report.error('CONFIG_CONTRADICTION', `${here.scope} has both 'message' and 'template'`, here.where('template'))
    return { ...value, template: templateOf(value.template, value.format, here) }
  },
})

function templateOf (file: string | undefined, format: PageTemplate['format'] | undefined, here: PageHere): PageTemplate | undefined {
  if (file === undefined || here.textOnly) return undefined
  const template = readTemplate(file, format)
  if (!('wrong' in template)) return template
  here.report.error('CONFIG_FILE', `the template of ${here.scope} cannot be used: ${template.wrong}`, here.where('template'), template.hint)
  return undefined
}

export interface ErrorPage {
  readonly status: number
  readonly format: PageTemplate['format'] | undefined
  readonly message: string | undefined
  readonly template: PageTemplate | undefined
  readonly headers: Readonly<Record<string, string>>
}

/** `pages { "404" { … } }`: the names are statuses. */
const pages: Field<readonly ErrorPage[]> = {
  row: {
    shape: 'json',
    doc: 'Pages by status, each with `format` (as above), `message`, or `template` (a file), and `headers { … }`.',
  },
  read (given, place) {
    const nodes = given.flatMap(node => {
      for (const extra of [...node.args, ...node.props]) place.report.error('CONFIG_EXTRA', `'pages' of ${place.scope} takes a block, no values`, extra.at)
      return namedByChild(node, place.name)
    })
    const seen = new Map<string, typeof nodes[number]>()
    for (const node of nodes) {
      const status = String(node.args[0]?.value)
      const first = seen.get(status)
      if (first === undefined) seen.set(status, node)
      else place.report.add('error', 'CONFIG_REPEATED', `'${status}' of 'pages' is given twice`, node.at, { related: { message: 'it was given before', position: first.at } })
    }
    return page.read(nodes, place)
  },
}

export const errorPages = optionalBlock({
  defaultFormat: setting(format, 'json', 'How errors are written for clients that do not say what they like.'),
  includeStackTrace: setting(bool, false, 'Tell clients what failed and where in the program. For experiments only.'),
  templateDir: optional(existingFolder, 'Folder of templates named after their status and form: `404.html`, `503.json`, `5xx.txt`, `4xx.xml`.'),
  pages,
  upstreamErrors: setting(bool, false, 'Put these pages in the place of the upstream\'s own answers, too, where there is one for the status.'),
}, 'Pages for errors that the proxy itself answers with. On a route they come before those that stand at the top level, which are for all routes and for requests that no route takes.', {
  build (value, here) {
    const { templateDir, ...rest } = value
    const read = templateDir === undefined || here.textOnly ? { templates: [] } : readTemplates(templateDir)
    if (read.wrong !== undefined) here.report.error('CONFIG_FILE', `'template-dir' of ${here.scope} cannot be used: ${read.wrong}`, here.where('templateDir'), read.hint)
    const templates: readonly FolderTemplate[] = read.templates
    return { ...rest, templates }
  },
  example: `error-pages {
    default-format "html"
    pages {
        "404" { message "There is nothing here" }
        "503" { message "We will be back soon"; headers { Retry-After "60" } }
    }
}`,
})

/** A fixed answer: `respond 200 "OK"`. */
export const respond = optionalBlock({
  status: required(integer(200, 599), 'Its status.'),
  body: setting(anyText, '', 'Its body.'),
  headers: map(fieldValue, 'Its header fields.'),
}, 'Give a fixed answer.', {
  args: ['status', 'body'],
  example: 'respond 200 "OK"',
})
