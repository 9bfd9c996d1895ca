import { readFileSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { KdlEntry, KdlNode, KdlProp } from './nodes.ts'
import { variableMarks } from './nodes.ts'
import type { Position, Problem, Severity } from './position.ts'
import { nearest } from './nearest.ts'

export interface SubstituteOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly problems: Problem[]
  /** What is not there is only a warning, and files are not read: what depends on them is left unjudged. */
  readonly textOnly?: boolean
  /** Collects every value that came from outside, for whoever writes logs. */
  readonly secrets: Set<string>
}

/** Largest file that `${file:…}` reads, in bytes. */
const maxSecretBytes = 1024 * 1024

const reference = /\$\$\{|\$\{([^}]*)(\}?)/g

/** The text with all of its `${file:…}` absolute: it means the same in any other folder then. */
export function filesFrom (folder: string, written: string): string {
  return written.replace(reference, (whole, inner: string | undefined, close: string) =>
    inner?.startsWith('file:') === true && close !== '' ? `\${file:${resolve(folder, inner.slice(5))}}` : whole)
}

/** A fact about a request: no name of the environment has a dot. */
const variable = /^[a-z]+(?:\.[A-Za-z0-9_-]+)+$/

/**
 * Replaces `${NAME}`, `${NAME:-default}` and `${file:/path}` in all string values. `$${` stands for a plain `${`. Names of nodes and properties stay.
 * `${client.ip}` and its like have a value for each request: they are marked, and settings that take them know what they mean.
 */
export function substitute (nodes: readonly KdlNode[], options: SubstituteOptions): KdlNode[] {
  return nodes.map(node => ({
    ...node,
    args: node.args.map(entry => replaced(entry, options)),
    props: node.props.map((prop): KdlProp => replaced(prop, options)),
    children: node.children === undefined ? undefined : substitute(node.children, options),
  }))
}

function replaced<T extends KdlEntry> (entry: T, options: SubstituteOptions): T {
  if (typeof entry.value !== 'string' || !entry.value.includes('${')) return entry
  const written = entry.value
  let outside = false
  let unknown = false
  const variables: string[] = []
  const value = written.replace(reference, (whole, inner: string | undefined, close: string) => {
    if (inner === undefined) return '${'
    if (close === '') {
      report(options, 'error', entry.at, "'${' is never closed", "a '}' is missing; write $${ for a plain ${")
      unknown = true
      return whole
    }
    if (variable.test(inner)) {
      variables.push(inner)
      return `${variableMarks[0]}${inner}${variableMarks[1]}`
    }
    outside = true
    const found = lookUp(inner, entry.at, options)
    if (found === undefined) unknown = true
    if (found !== undefined && found !== '') options.secrets.add(found)
    return found ?? ''
  })
  if (unknown) return { ...entry, value, written, unusable: true }
  if (variables.length > 0) return { ...entry, value, written, variables }
  return outside ? { ...entry, value, written } : { ...entry, value }
}

function lookUp (inner: string, at: Position, options: SubstituteOptions): string | undefined {
  if (inner.startsWith('file:')) return fromFile(inner.slice(5), at, options)
  const [, name = '', fallback] = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([\s\S]*))?$/.exec(inner) ?? []
  if (name === '') {
    report(options, 'error', at, `'\${${inner}}' is not a name`, 'there are ${NAME}, ${NAME:-default} and ${file:/path}; write $${ for a plain ${')
    return undefined
  }
  // Every object inherits a "toString"; no environment has one unless it was set.
  const value = Object.hasOwn(options.env, name) ? options.env[name] : undefined
  if (fallback?.includes('${') === true) {
    report(options, 'error', at, `the default of \${${name}} holds another \${`, 'a default is a plain text: it ends at the first }')
    return undefined
  }
  // As in a shell, ":-" also replaces an empty value.
  if (fallback !== undefined) return value === undefined || value === '' ? fallback : value
  if (value !== undefined) return value
  const near = nearest(name, Object.keys(options.env))
  const other = near === undefined ? '' : `did you mean ${near}? `
  report(options, options.textOnly === true ? 'warning' : 'error', at, `the environment has no ${name}`, `${other}a default is written \${${name}:-default}`)
  return undefined
}

function fromFile (path: string, at: Position, options: SubstituteOptions): string | undefined {
  if (options.textOnly === true) return undefined
  const full = resolve(dirname(at.file), path)
  try {
    const facts = statSync(full)
    if (!facts.isFile()) throw new Error('it is not a file')
    if (facts.size > maxSecretBytes) throw new Error(`it is larger than ${maxSecretBytes} bytes`)
    return readFileSync(full, 'utf8').replace(/\r?\n$/, '')
  } catch (error) {
    report(options, 'error', at, `the file '${path}' cannot be read`, reason(error))
    return undefined
  }
}

function reason (error: unknown): string {
  if (!(error instanceof Error)) return 'unknown reason'
  // `code` is there on errors of the file system.
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOENT') return 'there is no such file'
  if (code === 'EACCES') return 'this user may not read it'
  return code ?? error.message
}

function report (options: SubstituteOptions, severity: Severity, position: Position, message: string, hint: string): void {
  options.problems.push({ severity, code: 'CONFIG_ENVIRONMENT', message, hint, position })
}
