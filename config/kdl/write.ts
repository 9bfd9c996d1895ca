import type { KdlEntry, KdlNode, KdlValue } from './nodes.ts'

/** A value as KDL. `written` texts have `${…}` that counts; in any other text a `${` stands for itself. */
export function kdlValue (value: KdlValue, written = false): string {
  if (typeof value === 'string') return kdlString(written ? value : value.replaceAll('${', () => '$${'))
  if (value === null) return '#null'
  if (typeof value === 'boolean') return value ? '#true' : '#false'
  if (Number.isFinite(value)) return Object.is(value, -0) ? '-0.0' : String(value).replace(/e\+?/, 'e')
  return Number.isNaN(value) ? '#nan' : value > 0 ? '#inf' : '#-inf'
}

const escapes: Readonly<Record<string, string>> = { '"': '\\"', '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\b': '\\b', '\f': '\\f' }

/** Characters that may not stand in a document as they are, and those that a terminal would act on. */
const special = /["\\\u0000-\u001f\u007f-\u009f\u2028\u2029\u0085\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g

export function kdlString (text: string): string {
  // Expressions are readable without doubled backslashes.
  if (text.includes('\\') && !text.includes('"#') && text.replaceAll(/["\\]/g, '').search(special) < 0) return `#"${text}"#`
  return `"${text.replace(special, char => escapes[char] ?? `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`)}"`
}

const keywords = new Set(['true', 'false', 'null', 'inf', '-inf', 'nan'])

/** A name of a node or property, in quotes where it needs them. */
export function kdlName (name: string): string {
  return /^[A-Za-z_][A-Za-z0-9_.-]*$/.test(name) && !keywords.has(name) ? name : kdlString(name)
}

/** The head of a node: name, values, properties. */
export function kdlHead (node: Pick<KdlNode, 'name' | 'args' | 'props'>): string {
  const entry = ({ value, written }: KdlEntry): string => kdlValue(written ?? value, written !== undefined)
  return [kdlName(node.name), ...node.args.map(entry), ...node.props.map(prop => `${kdlName(prop.name)}=${entry(prop)}`)].join(' ')
}
