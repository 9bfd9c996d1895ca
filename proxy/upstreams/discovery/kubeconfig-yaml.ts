import { DiscoveryError } from './source.ts'

interface Line {
  readonly indent: number
  readonly text: string
  readonly number: number
}

/**
 * As much of YAML as kubeconfig files are written in: block mappings and sequences of plain and quoted scalars, and all of JSON. Whatever else there is in
 * the language (anchors, tags, texts of several lines) is refused: what is not understood must not be half understood.
 */
export function parseYaml (text: string): unknown {
  if (text.trimStart().startsWith('{')) return flow(text.trim(), 1)
  const lines = text.split(/\r?\n/).flatMap((raw, index): Line[] => {
    const plain = withoutComment(raw)
    if (plain.trim() === '' || plain === '---') return []
    if (/^ *\t/.test(plain)) throw unclear(index + 1)
    return [{ indent: plain.search(/\S/), text: plain.trim(), number: index + 1 }]
  })
  const reader = new Reader(lines)
  const value = reader.block(0)
  reader.end()
  return value
}

class Reader {
  readonly #lines: Line[]
  #at = 0

  constructor (lines: readonly Line[]) {
    this.#lines = [...lines]
  }

  end (): void {
    const line = this.#lines[this.#at]
    if (line !== undefined) throw unclear(line.number)
  }

  /** What stands at this place or further in. */
  block (least: number): unknown {
    const line = this.#lines[this.#at]
    if (line === undefined || line.indent < least) return null
    if (line.indent > 64) throw unclear(line.number)
    return isItem(line) ? this.#sequence(line.indent) : this.#mapping(line.indent)
  }

  #sequence (indent: number): unknown[] {
    const items: unknown[] = []
    for (let line = this.#lines[this.#at]; line?.indent === indent && isItem(line); line = this.#lines[this.#at]) {
      const rest = line.text.slice(1).trimStart()
      if (rest === '') {
        this.#at++
        items.push(this.block(indent + 1))
      } else if (keyIn(rest) === undefined) {
        this.#at++
        items.push(scalar(rest, line.number))
      } else {
        // The first member stands on the line of its dash.
        const inner = indent + line.text.length - rest.length
        this.#lines[this.#at] = { indent: inner, text: rest, number: line.number }
        items.push(this.#mapping(inner))
      }
    }
    return items
  }

  #mapping (indent: number): Readonly<Record<string, unknown>> {
    const members = new Map<string, unknown>()
    for (let line = this.#lines[this.#at]; line?.indent === indent && !isItem(line); line = this.#lines[this.#at]) {
      const found = keyIn(line.text)
      if (found === undefined || members.has(found.key)) throw unclear(line.number)
      this.#at++
      // A sequence may stand at the indent of its name.
      const next = this.#lines[this.#at]
      const value = found.rest !== '' ? scalar(found.rest, line.number)
        : next?.indent === indent && isItem(next) ? this.#sequence(indent) : this.block(indent + 1)
      members.set(found.key, value)
    }
    return Object.fromEntries(members)
  }
}

function isItem ({ text }: Line): boolean {
  return text === '-' || text.startsWith('- ')
}

function keyIn (text: string): { readonly key: string, readonly rest: string } | undefined {
  const [, quoted, plain, rest = ''] = /^(?:"([^"\\]*)"|([^\s"'{}[\]&*!|>%@`#,?:-][^"'{}[\]#]*?))\s*:(?:\s+(.*))?$/.exec(text) ?? []
  const key = quoted ?? plain
  return key === undefined ? undefined : { key, rest }
}

function scalar (text: string, line: number): unknown {
  if (text.startsWith('"')) return flow(text, line)
  if (text.startsWith("'")) {
    if (!/^'(?:[^']|'')*'$/.test(text)) throw unclear(line)
    return text.slice(1, -1).replaceAll("''", "'")
  }
  if (text === '{}' || text === '[]' || text.startsWith('[') || text.startsWith('{')) return flow(text, line)
  if (/^[&*!|>%@`]/.test(text) || /:(?:\s|$)/.test(text)) throw unclear(line)
  return text === 'true' ? true : text === 'false' ? false : text === 'null' || text === '~' ? null : text
}

function flow (text: string, line: number): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw unclear(line)
  }
}

/** A comment begins at the start of a line or after a space, and never inside of quotes. */
function withoutComment (line: string): string {
  let quote = ''
  for (let i = 0; i < line.length; i++) {
    const char = line[i]!
    if (quote !== '') {
      if (char === '\\' && quote === '"') i++
      else if (char === quote) quote = ''
    } else if ((char === '"' || char === "'") && (i === 0 || /[\s:[{,-]/.test(line[i - 1]!))) quote = char
    else if (char === '#' && (i === 0 || line[i - 1] === ' ')) return line.slice(0, i).trimEnd()
  }
  return line.trimEnd()
}

/** Never the text itself, which may be a key. */
function unclear (line: number): DiscoveryError {
  return new DiscoveryError(`line ${line} of the kubeconfig is no YAML that is understood here`)
}
