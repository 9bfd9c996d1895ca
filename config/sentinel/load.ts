import { readFile, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { KdlNode } from '../kdl/nodes.ts'
import { maxTextLength, parseKdl } from '../kdl/parse.ts'
import type { Problem } from '../kdl/position.ts'
import { inOrder, wholeFile } from '../kdl/position.ts'
import { substitute } from '../kdl/substitute.ts'
import { readFields } from '../schema/read.ts'
import { Report } from '../schema/report.ts'
import { checkWhole } from './checks.ts'
import type { SentinelConfig } from './config.ts'
import { table } from './table.ts'

export interface LoadOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Judge the text alone: files that it names are not looked at, and a variable that is not set is only a warning. */
  readonly textOnly?: boolean
}

export interface Loaded {
  /** Only when there is no error. */
  readonly config: SentinelConfig | undefined
  /** In the order of the file; errors, warnings and notes. */
  readonly problems: Problem[]
  /** Absolute paths of the files that were read. */
  readonly files: string[]
  /** Texts by file name, for `printProblems`. */
  readonly sources: ReadonlyMap<string, string>
  /** Values that came from the environment or from files: nothing may print them. */
  readonly secrets: ReadonlySet<string>
  /** What was read, of all files, for those who look into the text itself; empty when there is nothing readable. */
  readonly nodes: readonly KdlNode[]
  /** Whether leaving out a setting may mean something else than writing its default. */
  readonly absenceCounts: Report['absenceCounts']
}

/** Reads and checks a configuration. Never throws for what is in it. Positions carry `file` as it was given. */
export async function loadConfig (file: string, options: LoadOptions): Promise<Loaded> {
  const read = await readText(file)
  if (typeof read !== 'string') return { config: undefined, problems: [read], files: [], sources: new Map(), secrets: new Set(), nodes: [], absenceCounts: () => false }
  return { ...checkText(read, file, options), files: [resolve(file)] }
}

/** As `loadConfig`, from a text. Relative paths in it start at the folder of `file`, which need not exist. */
export function checkText (text: string, file: string, options: LoadOptions): Loaded {
  const sources = new Map([[file, text]])
  const secrets = new Set<string>()
  const syntax = parseKdl(text, file)
  const report = new Report(table)
  report.problems.push(...syntax.problems)
  // A broken structure gives no nodes: what would be missing then is not worth telling.
  const readable = syntax.nodes.length > 0 || syntax.problems.length === 0
  let config: SentinelConfig | undefined
  let nodes: readonly KdlNode[] = []
  if (readable) {
    const textOnly = options.textOnly === true
    nodes = substitute(syntax.nodes, { env: options.env, textOnly, problems: report.problems, secrets })
    const read = readFields(table, nodes, report, file, { textOnly })
    report.resolveReferences()
    if (read !== undefined) config = checkWhole(read, report)
  }
  const problems = inOrder(presentable(report.problems, syntax.problems, file, secrets))
  const refused = problems.some(problem => problem.severity === 'error')
  return { config: refused ? undefined : config, problems, files: [], sources, secrets, nodes, absenceCounts: report.absenceCounts }
}

/** Leaves out follow-up errors on lines that are not valid KDL, and puts the file's name as it was given into every position. */
function presentable (problems: readonly Problem[], syntax: readonly Problem[], file: string, secrets: ReadonlySet<string>): Problem[] {
  const lines = new Set(syntax.map(problem => problem.position.line))
  const kept = problems.filter(problem => syntax.includes(problem) || !lines.has(problem.position.line))
  return kept.map(problem => {
    const { hint, position } = problem
    return {
      ...problem,
      message: withheld(problem.message, secrets),
      ...(hint === undefined ? {} : { hint: withheld(hint, secrets) }),
      position: { ...position, file },
    }
  })
}

/** The last net: messages are made without such values in the first place. */
export function withheld (text: string, secrets: ReadonlySet<string>): string {
  const hidden = [...secrets].filter(secret => secret.length >= 4).sort((a, b) => b.length - a.length)
  return hidden.reduce((shown, secret) => shown.replaceAll(secret, '(withheld)'), text)
}

async function readText (file: string): Promise<string | Problem> {
  try {
    const facts = await stat(file)
    if (facts.isDirectory()) return unreadable(file, 'it is a folder')
    if (facts.size > maxTextLength * 4) return unreadable(file, 'it is too large')
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(await readFile(file))
  } catch (error) {
    if (error instanceof TypeError) return unreadable(file, 'it is not UTF-8 text')
    // `code` is there on errors of the file system.
    const { code } = error as NodeJS.ErrnoException
    return unreadable(file, code === 'ENOENT' ? 'there is no such file' : code === 'EACCES' ? 'this user may not read it' : `reading fails (${code ?? 'unknown reason'})`)
  }
}

function unreadable (file: string, why: string): Problem {
  return { severity: 'error', code: 'CONFIG_UNREADABLE', message: `the configuration cannot be read: ${why}`, position: wholeFile(file) }
}
