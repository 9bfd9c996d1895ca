import { blocks, optionalBlock } from '../schema/blocks.ts'
import type { Field } from '../schema/field.ts'
import { map, optional, required, setting } from '../schema/fields.ts'
import type { ValueType } from '../schema/value.ts'
import { anyText, bool, existingFile, existingFolder, integer, oneOf } from '../schema/values.ts'
import { fieldValue } from './header-edits.ts'
import { namedByChild } from './route-types.ts'

const format = oneOf('json', 'html', 'text', 'xml')

/** A node's name is always a text: a status among names is written in digits. */
const statusName: ValueType<number> = {
  ...integer(400, 599),
  expected: 'a status from 400 to 599',
  parse: (raw, context) => integer(400, 599).parse(typeof raw === 'string' && /^\d{3}$/.test(raw) ? Number(raw) : raw, context),
}

const page = blocks({
  status: required(statusName, 'Status of the answer.'),
  format: optional(format, 'How it is written; `default-format` without it.'),
  message: optional(anyText, 'What it says.'),
  template: optional(existingFile, 'File with the whole page.'),
  headers: map(fieldValue, 'Header fields of the answer.'),
}, 'One page.', {
  name: 'pages',
  args: ['status'],
  build (value, here) {
    if (value.message !== undefined && value.template !== undefined) here.report.error('CONFIG_CONTRADICTION', `${here.scope} has both 'message' and 'template'`, here.where('template'))
    return value
  },
})

/** `pages { "404" { … } }`: the names are statuses. */
const pages: Field<readonly { readonly status: number }[]> = {
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
  defaultFormat: setting(format, 'json', 'How errors are written.'),
  includeStackTrace: setting(bool, false, 'Tell clients where in the program something failed. For experiments only.'),
  templateDir: optional(existingFolder, 'Folder of pages named after their status.'),
  pages,
}, 'Own pages for errors.', {
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
