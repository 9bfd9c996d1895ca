import { resolve } from 'node:path'
import { readSources, textOf } from '../kdl/include.ts'
import type { KdlNode } from '../kdl/nodes.ts'
import type { Problem } from '../kdl/position.ts'
import { inOrder, wholeFile } from '../kdl/position.ts'
import { readFields } from '../schema/read.ts'
import { Report } from '../schema/report.ts'
import { checkWhole } from './checks.ts'
import type { SentinelConfig } from './config.ts'
import { olderBlocks, table } from './table.ts'

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
  /** Absolute paths of folders in which a new file would be read, too. */
  readonly folders: readonly string[]
  /** Texts by file name, for `printProblems`. */
  readonly sources: ReadonlyMap<string, string>
  /** Values that came from the environment or from files: nothing may print them. */
  readonly secrets: ReadonlySet<string>
  /** What was read, of all files, for those who look into the text itself; empty when there is nothing readable. */
  readonly nodes: readonly KdlNode[]
  /** Whether leaving out a setting may mean something else than writing its default. */
  readonly absenceCounts: Report['absenceCounts']
}

const nothing: Loaded = {
  config: undefined, problems: [], files: [], folders: [], sources: new Map(), secrets: new Set(), nodes: [], absenceCounts: () => false,
}

/** Reads and checks a configuration with everything it includes. Never throws for what is in it. Positions carry `file` as it was given. */
export async function loadConfig (file: string, options: LoadOptions): Promise<Loaded> {
  const read = textOf(file)
  if ('why' in read) {
    const problem: Problem = { severity: 'error', code: 'CONFIG_UNREADABLE', message: `the configuration cannot be read: ${read.why}`, position: wholeFile(file) }
    return { ...nothing, problems: [problem] }
  }
  const loaded = checkText(read.text, file, options)
  return { ...loaded, files: [resolve(file), ...loaded.files] }
}

/** As `loadConfig`, from a text. Relative paths in it start at the folder of `file`, which need not exist. */
export function checkText (text: string, file: string, options: LoadOptions): Loaded {
  const secrets = new Set<string>()
  if (/^\s*\{/.test(text)) return { ...nothing, problems: [looksLikeJson(file)], sources: new Map([[file, text]]) }
  const textOnly = options.textOnly === true
  const { nodes, problems: found, texts: sources, files, folders, incomplete } = readSources(text, file, { env: options.env, textOnly, secrets })
  const report = new Report(table)
  const once = readFields(table, nodes, report, file, { textOnly, older: olderBlocks })
  report.resolveReferences()
  // What a name in a namespace means is known now: it is read once more, to give everything its full name. What there is to report was reported.
  const read = report.names('namespace').size === 0 ? once : readFields(table, nodes, new Report(table, report), file, { textOnly, older: olderBlocks })
  const config = read === undefined || incomplete ? undefined : checkWhole(read, report)
  const order = [...sources.keys()]
  const problems = inOrder(presentable(found, report.problems, { incomplete, secrets }), order)
  const refused = problems.some(problem => problem.severity === 'error')
  files.push(...report.files)
  return { config: refused ? undefined : config, problems, files, folders, sources, secrets, nodes, absenceCounts: report.absenceCounts }
}

function looksLikeJson (file: string): Problem {
  return {
    severity: 'error', code: 'CONFIG_UNREADABLE', message: 'this is JSON; configurations are written in KDL', position: { file, line: 1, column: 1, length: 1 },
    hint: 'a setting is a line of its own: name "value"; a block is name { … }',
  }
}

interface Circumstances {
  readonly incomplete: boolean
  readonly secrets: ReadonlySet<string>
}

/** Leaves out follow-up errors: on lines that are not valid KDL, and of what is missing when not everything could be read. */
function presentable (found: readonly Problem[], judged: readonly Problem[], { incomplete, secrets }: Circumstances): Problem[] {
  const line = ({ position }: Problem): string => `${position.line}:${position.file}`
  const broken = new Set(found.filter(problem => problem.code === 'CONFIG_SYNTAX').map(line))
  const kept = judged.filter(problem => !broken.has(line(problem)) && !(incomplete && (problem.code === 'CONFIG_MISSING' || problem.code === 'CONFIG_UNKNOWN_REFERENCE')))
  return [...found, ...kept].map(problem => {
    if (secrets.size === 0) return problem
    const { hint } = problem
    return { ...problem, message: withheld(problem.message, secrets), ...(hint === undefined ? {} : { hint: withheld(hint, secrets) }) }
  })
}

/** The last net: messages are made without such values in the first place. */
export function withheld (text: string, secrets: ReadonlySet<string>): string {
  const hidden = [...secrets].filter(secret => secret.length >= 4).sort((a, b) => b.length - a.length)
  return hidden.reduce((shown, secret) => shown.replaceAll(secret, '(withheld)'), text)
}
