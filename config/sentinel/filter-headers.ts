import { block } from '../schema/blocks.ts'
import type { Field } from '../schema/field.ts'
import { list, map, setting } from '../schema/fields.ts'
import type { Here } from '../schema/read-block.ts'
import type { ValueType } from '../schema/value.ts'
import { unfit } from '../schema/value.ts'
import { oneOf } from '../schema/values.ts'
import { token } from './types.ts'

/** RFC 9110, 5.5: no control characters, so that one field cannot become two. */
const fieldValue: ValueType<string> = {
  name: 'text',
  expected: 'a text without control characters',
  json: { type: 'string' },
  parse: raw => typeof raw === 'string' && !/[^\t\x20-\x7e\x80-\uffff]/.test(raw) ? { value: raw } : unfit,
}

/** A block of header fields by their names. */
function headerMap (type: ValueType<string>, doc: string, example: string): Field<Readonly<Record<string, string>>> {
  const field = map(type, doc, { example })
  return {
    ...field,
    read (given, place) {
      for (const node of given) {
        for (const { name, at } of [...node.children ?? [], ...node.props.map(prop => ({ name: prop.name, at: prop.nameAt }))]) {
          if (!('wrong' in token.parse(name, { folder: '', lenient: false, secret: false }))) continue
          place.report.error('CONFIG_TYPE', `'${place.name}' of ${place.scope} has ${JSON.stringify(name.slice(0, 60))}, which is no name of a header field`, at)
        }
      }
      return field.read(given, place)
    },
  }
}

const edits = {
  rename: headerMap(token, 'Fields that get another name.', 'rename { X-Old "X-New" }'),
  set: headerMap(fieldValue, 'Fields that get this value, whatever they had.', 'set { X-Frame-Options "DENY" }'),
  add: headerMap(fieldValue, 'Fields that are added to what is there.', 'add { Vary "Origin" }'),
  remove: list(token, [], 'Fields that are taken away.'),
}

const onlyFor = (what: string, name: string) => block(edits, `Changes of ${what} alone, whatever the phase is.`, { example: `${name} { remove "Server" }` })

/** Changes are made in this order: rename, set, add, remove. */
export const headersFilter = {
  phase: setting(oneOf('request', 'response', 'both'), 'request', 'What is changed: requests, answers or both.'),
  ...edits,
  request: onlyFor('requests', 'request'),
  response: onlyFor('answers', 'response'),
}

export function checkHeaders (_value: unknown, here: Here<typeof headersFilter>): void {
  const names = ['rename', 'set', 'add', 'remove', 'request', 'response'] as const
  if (here.clean && names.every(name => !here.given(name))) here.report.warning('CONFIG_NO_EFFECT', `${here.scope} changes nothing`, here.at, 'write set { Name "value" }')
}
