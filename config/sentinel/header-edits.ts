import { optionalBlock } from '../schema/blocks.ts'
import type { KdlNode } from '../kdl/nodes.ts'
import type { Here } from '../schema/read-block.ts'
import type { OlderForm } from '../schema/field.ts'
import { list, map } from '../schema/fields.ts'
import type { ValueType } from '../schema/value.ts'
import { anyText } from '../schema/values.ts'
import { token } from './types.ts'

/** RFC 9110, 5.5: no control characters, so that one field cannot become two. */
export const fieldValue: ValueType<string> = {
  ...anyText,
  parse (raw, context) {
    const result = anyText.parse(raw, context)
    if ('wrong' in result || !/[^\t\x20-\x7e\x80-\uffff]/.test(result.value)) return result
    return { wrong: /[\r\n]/.test(result.value) ? 'it contains the end of a line' : 'it contains a control character' }
  },
}

export const headerEdits = {
  rename: map(token, 'Fields to rename: `Old "New"`.'),
  set: map(fieldValue, 'Fields to set, in place of what was there.'),
  add: map(fieldValue, 'Fields to add to what is there.'),
  remove: list(token, [], 'Fields to take away.'),
}

/** `set "Name" "value"`: one line for each field. */
function inOneLine (name: string): OlderForm {
  return {
    doc: `write ${name} { Name "value" }`,
    when: ({ args, children }) => args.length === 2 && typeof args[0]?.value === 'string' && children === undefined,
    into: (node: KdlNode) => {
      const [field, ...value] = node.args
      if (field === undefined) return [node]
      return [{ ...node, args: [], children: [{ name: String(field.value), at: field.at, args: value, props: [], children: undefined }] }]
    },
  }
}

export const olderHeaderEdits = { rename: inOneLine('rename'), set: inOneLine('set'), add: inOneLine('add') }

/** Of a block that has these among its settings. */
type EditsHere = Pick<Here<typeof headerEdits>, 'scope' | 'report' | 'where' | 'nodes'>

interface Edits {
  readonly rename: Readonly<Record<string, string>>
  readonly set: Readonly<Record<string, string>>
  readonly add: Readonly<Record<string, string>>
  readonly remove: readonly string[]
}

/** Names that are none, and edits that a later one undoes: the order is rename, set, add, remove. */
export function checkEdits<E extends Edits> (edits: E, here: EditsHere): E {
  const context = { folder: '', lenient: false, secret: false }
  for (const kind of ['rename', 'set', 'add'] as const) {
    for (const name of Object.keys(edits[kind])) {
      if ('wrong' in token.parse(name, context)) {
        here.report.error('CONFIG_TYPE', `'${kind}' of ${here.scope} must name header fields, found "${name.slice(0, 60)}"`, placeOf(here, kind, name), 'a name has letters, digits and -_.!#$%&\'*+^`|~')
      }
    }
  }
  const gone = new Set(edits.remove.map(name => name.toLowerCase()))
  for (const kind of ['set', 'add'] as const) {
    for (const name of Object.keys(edits[kind])) {
      if (!gone.has(name.toLowerCase())) continue
      here.report.error('CONFIG_CONTRADICTION', `${here.scope} gives ${name} a value and removes it again`, placeOf(here, kind, name), 'the order is rename, set, add, remove')
    }
  }
  return edits
}

function placeOf (here: EditsHere, kind: keyof typeof headerEdits, name: string): ReturnType<EditsHere['where']> {
  return here.nodes(kind).flatMap(node => node.children ?? []).find(child => child.name === name)?.at ?? here.where(kind)
}

export const requestHeaders = optionalBlock(headerEdits, 'Changes of the request\'s header, before it goes to the upstream.', {
  older: olderHeaderEdits,
  build: checkEdits,
  example: `request-headers {
    set { X-Api-Version "2" }
    remove "X-Debug" "X-Internal"
}`,
})

export const responseHeaders = optionalBlock(headerEdits, 'Changes of the answer\'s header, before it goes to the client.', {
  older: olderHeaderEdits,
  build: checkEdits,
  example: `response-headers {
    set {
        Strict-Transport-Security "max-age=31536000; includeSubDomains"
        X-Content-Type-Options "nosniff"
    }
    remove "Server" "X-Powered-By"
}`,
})
