import type { Writer } from '../../../proto/codec/index.ts'
import type { Attributes, AttributeValue, Resource } from './span.ts'

/**
 * What traces and figures have in common in OTLP 1.x (https://github.com/open-telemetry/opentelemetry-proto, common.proto and resource.proto). A message is
 * written from its last field to its first: see `Writer`. A tag is the number of the field times 8, plus 0 (varint), 1 (eight bytes) or 2 (length).
 */

export const wire = { varint: 0, eight: 1, length: 2 } as const

export function tag (field: number, type: keyof typeof wire): number {
  return field * 8 + wire[type]
}

export function writeText (w: Writer, field: number, text: string): void {
  if (text === '') return
  w.string(text)
  w.uint32(tag(field, 'length'))
}

/** Repeated `KeyValue { key = 1; value = 2 }`. */
export function writeAttributes (w: Writer, field: number, attributes: Attributes): void {
  for (let i = attributes.length - 1; i >= 0; i--) {
    const [key, value] = attributes[i]!
    const mark = w.used
    writeValue(w, 2, value)
    w.string(key)
    w.uint32(tag(1, 'length'))
    w.close(mark, tag(field, 'length'))
  }
}

/** `AnyValue { string = 1; bool = 2; int = 3; double = 4; array = 5 }`. */
function writeValue (w: Writer, field: number, value: AttributeValue): void {
  const mark = w.used
  switch (typeof value) {
    case 'string':
      w.string(value)
      w.uint32(tag(1, 'length'))
      break
    case 'boolean':
      w.bool(value)
      w.uint32(tag(2, 'varint'))
      break
    case 'number':
      writeNumber(w, value)
      break
    default: {
      const inner = w.used
      for (let i = value.length - 1; i >= 0; i--) writeValue(w, 1, value[i]!)
      w.close(inner, tag(5, 'length'))
    }
  }
  w.close(mark, tag(field, 'length'))
}

function writeNumber (w: Writer, value: number): void {
  if (Number.isSafeInteger(value) && value >= 0) {
    w.uint64(value)
    w.uint32(tag(3, 'varint'))
  } else {
    w.double(value)
    w.uint32(tag(4, 'eight'))
  }
}

/** `Resource { attributes = 1 }`. */
export function writeResource (w: Writer, field: number, { attributes }: Resource): void {
  const mark = w.used
  writeAttributes(w, 1, attributes)
  w.close(mark, tag(field, 'length'))
}

/** `InstrumentationScope { name = 1; version = 2 }`. */
export function writeScope (w: Writer, field: number, { version }: Resource): void {
  const mark = w.used
  writeText(w, 2, version)
  writeText(w, 1, 'sentinel')
  w.close(mark, tag(field, 'length'))
}

export function jsonAttributes (attributes: Attributes): unknown[] {
  return attributes.map(([key, value]) => ({ key, value: jsonValue(value) }))
}

/** 64-bit numbers are texts in JSON (proto3 JSON mapping). */
function jsonValue (value: AttributeValue): unknown {
  switch (typeof value) {
    case 'string': return { stringValue: value }
    case 'boolean': return { boolValue: value }
    case 'number': return Number.isSafeInteger(value) && value >= 0 ? { intValue: String(value) } : { doubleValue: value }
    default: return { arrayValue: { values: value.map(jsonValue) } }
  }
}
