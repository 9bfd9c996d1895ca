import { readFileSync, statSync } from 'node:fs'
import { dirname, resolve, sep } from 'node:path'
import type { JsonValue } from '../kdl/json.ts'
import { nearest } from '../kdl/nearest.ts'
import type { Position, Problem } from '../kdl/position.ts'
import type { ApiDocument, Path } from './document.ts'
import { readDocument } from './document.ts'

/** How a schema is to be read. */
export type Dialect = 'openapi-3.0' | 'draft-4' | 'draft-7' | '2019-09' | '2020-12'

export interface Source {
  readonly document: ApiDocument
  /** Absolute; '' for what is written in the configuration itself. */
  readonly file: string
  readonly dialect: Dialect
  /** Written as KDL, where a list of one value cannot be told from the value. */
  readonly loose: boolean
}

/** Something in a source. */
export interface Found {
  readonly source: Source
  readonly path: Path
  readonly value: JsonValue
}

const largestBytes = 16 * 1024 * 1024

/** What is read for one `api-schema` block: files, and what is wrong in them. */
export class Sources {
  readonly problems: Problem[] = []
  readonly files: string[] = []
  /** Where a reference may lead; without it nowhere but into the same text. */
  readonly #folder: string | undefined
  readonly #read = new Map<string, Source | undefined>()

  constructor (folder: string | undefined) {
    this.#folder = folder
  }

  error (source: Source, path: Path, message: string, hint?: string): void {
    this.report('error', source.document.positionOf(path), message, hint)
  }

  warning (source: Source, path: Path, message: string): void {
    this.report('warning', source.document.positionOf(path), message)
  }

  report (severity: Problem['severity'], position: Position, message: string, hint?: string): void {
    // One mistake that stands in two files, or is read for requests and for answers, is one mistake.
    if (this.problems.some(known => known.message === message && samePlace(known.position, position))) return
    this.problems.push({ severity, code: 'CONFIG_SCHEMA', message, position, ...hint === undefined ? {} : { hint } })
  }

  /** `undefined` when it cannot be read, which was reported then. `asked`: who wants it. */
  open (file: string, asked: Position): Source | undefined {
    if (this.#read.has(file)) return this.#read.get(file)
    this.files.push(file)
    const source = this.#open(file, asked)
    this.#read.set(file, source)
    return source
  }

  #open (file: string, asked: Position): Source | undefined {
    let text: string
    try {
      if (statSync(file).size > largestBytes) throw new Error('it is larger than 16MiB')
      text = readFileSync(file, 'utf8')
    } catch (error) {
      this.report('error', asked, `${file} cannot be read: ${error instanceof Error ? error.message.replace(/^(\w+): .*/, '$1') : String(error)}`)
      return undefined
    }
    return this.parsed(text, file, undefined)
  }

  parsed (text: string, file: string, at: Position | undefined): Source | undefined {
    const document = readDocument(text, file, at)
    if (!('why' in document)) return { document, file: at === undefined ? file : '', dialect: dialectOf(document.root), loose: false }
    this.report('error', document.at, `this is neither JSON nor YAML: ${document.why}`)
    return undefined
  }

  /** What a `$ref` at `path` leads to; `undefined` when nowhere, which was reported then. */
  follow (source: Source, path: Path, ref: string): Found | undefined {
    const hash = ref.indexOf('#')
    const name = hash < 0 ? ref : ref.slice(0, hash)
    const target = this.#target(source, path, name, source.document.positionOf(path))
    if (target === undefined) return undefined
    const pointer = hash < 0 ? '' : ref.slice(hash + 1)
    const steps = stepsOf(pointer)
    if (steps === undefined) {
      this.error(source, path, `the reference ${JSON.stringify(ref)} is not understood`, 'only JSON pointers are: "#/components/schemas/Name"')
      return undefined
    }
    const value = valueAt(target.document.root, steps)
    if (value !== undefined) return { source: target, path: steps, value }
    const around = valueAt(target.document.root, steps.slice(0, -1))
    const near = isObject(around) ? nearest(String(steps.at(-1)), Object.keys(around)) : undefined
    this.error(source, path, `the reference ${JSON.stringify(ref)} leads nowhere`, near === undefined ? undefined : `did you mean '${near}'?`)
    return undefined
  }

  #target (source: Source, path: Path, name: string, asked: Position): Source | undefined {
    if (name === '' || (isObject(source.document.root) && source.document.root['$id'] === name)) return source
    if (/^[a-z][a-z0-9+.-]*:|^\/\//i.test(name)) {
      this.error(source, path, 'a reference must not lead to the network', 'put the file beside this one')
      return undefined
    }
    const file = resolve(dirname(source.file), decoded(name) ?? name)
    if (this.#folder === undefined || source.file === '' || !file.startsWith(this.#folder.endsWith(sep) ? this.#folder : this.#folder + sep)) {
      this.error(source, path, 'a reference must stay in the folder of the schema file')
      return undefined
    }
    const opened = this.open(file, asked)
    // A part of an OpenAPI description that has a file of its own is read as the description is.
    return opened === undefined || isOpenApi(opened.document.root) || hasDialect(opened.document.root) ? opened : { ...opened, dialect: source.dialect }
  }
}

function samePlace (a: Position, b: Position): boolean {
  return a.file === b.file && a.line === b.line && a.column === b.column
}

export function isObject (value: JsonValue | undefined): value is { [name: string]: JsonValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function isOpenApi (root: JsonValue): root is { [name: string]: JsonValue } {
  return isObject(root) && (Object.hasOwn(root, 'openapi') || Object.hasOwn(root, 'swagger'))
}

function hasDialect (root: JsonValue): boolean {
  return isObject(root) && typeof root['$schema'] === 'string'
}

/** JSON Schema without a word about its version is draft 7, as the documentation of this language has it. */
export function dialectOf (root: JsonValue): Dialect {
  if (isOpenApi(root)) return typeof root['openapi'] === 'string' && root['openapi'].startsWith('3.0') ? 'openapi-3.0' : '2020-12'
  const named = isObject(root) ? root['$schema'] : undefined
  const version = typeof named === 'string' ? /draft-0?(\d)\b|draft\/(\d{4}-\d{2})\//.exec(named) : null
  if (version?.[1] === '4') return 'draft-4'
  if (version?.[2] === '2019-09') return '2019-09'
  return version?.[2] === undefined ? 'draft-7' : '2020-12'
}

/** RFC 6901, as a fragment. */
function stepsOf (pointer: string): Path | undefined {
  const text = decoded(pointer)
  if (text === undefined || (text !== '' && !text.startsWith('/'))) return undefined
  return text === '' ? [] : text.slice(1).split('/').map(step => step.replaceAll('~1', '/').replaceAll('~0', '~'))
}

function decoded (text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

export function valueAt (root: JsonValue, path: Path): JsonValue | undefined {
  let value: JsonValue | undefined = root
  for (const step of path) {
    if (Array.isArray(value)) value = value[Number(step)]
    else if (isObject(value) && Object.hasOwn(value, step)) value = value[step]
    else return undefined
  }
  return value
}
