import type { ApiContent } from '../../../config/api-schema/description.ts'
import type { JsonValue } from '../../../config/kdl/json.ts'
import { Fault } from '../../pipeline/faults.ts'
import type { HeaderList } from '../../pipeline/headers.ts'
import { unpacked, type UnpackLimits } from '../../pipeline/unpack.ts'
import type { Engine, Violation } from './engine.ts'
import { refusalOf } from './json.ts'
import { formOf } from './parameters.ts'

/** What a message says about the form of its body; `undefined` when nothing, or two things. */
export function mediaTypeOf (headers: HeaderList): { readonly type: string, readonly charset: string } | undefined {
  const [value, ...more] = headers.getAll('content-type')
  if (value === undefined || more.length > 0 || /,/.test(value.replace(/"[^"]*"/g, ''))) return undefined
  const [type = '', ...parameters] = value.toLowerCase().split(';').map((part) => part.trim())
  const charset = parameters.find((parameter) => parameter.startsWith('charset='))?.slice('charset='.length).replace(/^"(.*)"$/, '$1') ?? 'utf-8'
  return { type, charset }
}

export function isJson (type: string): boolean {
  return type === 'application/json' || type === 'text/json' || /^[\w.+-]+\/[\w.+-]+\+json$/.test(type)
}

/** The row for a media type: itself, then the range that says more. */
export function contentFor (contents: readonly ApiContent[], type: string): ApiContent | undefined {
  return contents.find((one) => one.type === type) ?? contents.find((one) => one.type === `${type.split('/', 1)[0]}/*`) ?? contents.find((one) => one.type === '*/*')
}

const reasons = {
  malformed: 'is not JSON', depth: 'is nested too deeply', name: 'has two members of one name',
} as const

const isUtf8 = /^(?:utf-?8|us-ascii)$/

/** Whether a body of this type is looked into: of others nothing but their type is known. */
export function isReadable (type: string, content: Pick<ApiContent, 'fields'>): boolean {
  return isJson(type) || content.fields !== undefined
}

/** Unpacks, reads and checks a body that is all there. Rejects with a `Fault` when it cannot be read at all. */
export async function bodyViolations (
  bytes: Buffer, headers: HeaderList, charset: string, { schema, fields }: Pick<ApiContent, 'schema' | 'fields'>, engine: Engine, limits: UnpackLimits,
): Promise<readonly Violation[]> {
  const plain = await unpacked(bytes, headers, limits)
  // RFC 8259 section 8.1: between systems JSON is UTF-8, and the sender adds no byte order mark.
  if (!isUtf8.test(charset)) throw new Fault('MEDIA_TYPE_REFUSED', 'charset')
  const text = textOf(plain)
  if (fields !== undefined) return formViolations(text, schema, fields, engine)
  const refusal = text === undefined ? 'malformed' : refusalOf(text)
  if (text === undefined || refusal !== undefined) return [{ in: 'body', at: '', rule: 'json', message: reasons[refusal ?? 'malformed'] }]
  return schema === undefined ? [] : engine.violations(schema, JSON.parse(text) as JsonValue, plain.length)
}

function formViolations (text: string | undefined, schema: string | undefined, fields: NonNullable<ApiContent['fields']>, engine: Engine): readonly Violation[] {
  const form = text === undefined ? undefined : formOf(text, fields)
  if (text === undefined || form === undefined) return [{ in: 'body', at: '', rule: 'form', message: 'cannot be read, or has two fields of one name' }]
  return schema === undefined ? [] : engine.violations(schema, form, text.length)
}

function textOf (bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}
