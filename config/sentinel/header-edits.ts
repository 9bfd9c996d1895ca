import { optionalBlock } from '../schema/blocks.ts'
import type { KdlNode } from '../kdl/nodes.ts'
import type { Here } from '../schema/read-block.ts'
import type { OlderForm } from '../schema/field.ts'
import { list, map } from '../schema/fields.ts'
import type { ValueType } from '../schema/value.ts'
import { anyText } from '../schema/values.ts'
import type { Template } from './template.ts'
import { template } from './template.ts'
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
  set: map(template, 'Fields to set, in place of what was there. Values may name facts: `"${client.ip}"`.'),
  add: map(template, 'Fields to add to what is there; with facts as well.'),
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
  readonly set: Readonly<Record<string, Template>>
  readonly add: Readonly<Record<string, Template>>
  readonly remove: readonly string[]
}

/** What belongs to the connection and to framing (RFC 9110 sections 7.6.1 and 8.6), which no filter may speak about. */
const ofTheProxy: ReadonlySet<string> = new Set([
  'connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'http2-settings', 'content-length', 'expect',
])

/** Whether nobody but the proxy may write a field, under no spelling of its name. */
export function belongsToProxy (name: string): boolean {
  const spelled = name.toLowerCase().replace(/[^a-z0-9]/g, '-')
  return ofTheProxy.has(spelled) || spelled === 'host' || spelled === 'x-request-id' || spelled === 'x-real-ip' || spelled === 'forwarded' || spelled.startsWith('x-forwarded-for') ||
    spelled === 'x-forwarded-proto' || spelled === 'x-forwarded-host'
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
  const named = [...(['set', 'add'] as const).flatMap(kind => Object.keys(edits[kind]).map(name => ({ kind, name, written: name }))),
    ...Object.entries(edits.rename).map(([name, to]) => ({ kind: 'rename' as const, name: to, written: name }))]
  for (const { kind, name, written } of named) {
    if (!ofTheProxy.has(name.toLowerCase().replaceAll('_', '-'))) continue
    here.report.error('CONFIG_CONTRADICTION', `${here.scope} writes ${name}, which belongs to the connection: the proxy writes it itself`, placeOf(here, kind, written))
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
