import { resolve } from 'node:path'
import type { Command, OptionValues, Shell } from './command.ts'
import { configFile, configOption } from './config-file.ts'

/** Something to format, under the name that messages use. */
interface Source {
  readonly name: string
  /** Absolute path; none for the standard input. */
  readonly path?: string
}

type Outcome = 'formatted' | 'changed' | 'invalid' | 'failed'

export const fmt: Command = {
  name: 'fmt',
  doc: 'Format configurations: one layout, and the preferred spelling of every setting. Comments stay. Prints the text of one FILE ("-" reads the ' +
    'standard input) unless told otherwise. Exit code 0: done; 1: not valid KDL; 2: a file cannot be read or written; 3: --check found something to do.',
  arguments: '[FILE...]',
  options: {
    config: configOption,
    write: { type: 'boolean', short: 'w', doc: 'Change the files in place and print the names of those that changed.' },
    check: { type: 'boolean', doc: 'Change nothing and print the names of files that are not formatted.' },
    diff: { type: 'boolean', doc: 'Print what changes instead of the whole text.' },
    'keep-spelling': { type: 'boolean', doc: 'Only lay the text out anew: names, words and units stay.' },
  },
  async run (shell, options, args) {
    const sources = sourcesOf(shell, options, args)
    if (typeof sources === 'number') return sources
    const outcomes = new Set<Outcome>()
    for (const source of sources) outcomes.add(await formatOne(source, shell, options))
    if (outcomes.has('failed')) return 2
    if (outcomes.has('invalid')) return 1
    return outcomes.has('changed') && options['check'] === true ? 3 : 0
  },
}

/** What to format, or the exit code after it was said why not. */
function sourcesOf (shell: Shell, options: OptionValues, args: readonly string[]): readonly Source[] | number {
  const { write, check, diff } = options
  const complain = (why: string): number => {
    shell.err(`sentinel fmt: ${why}\nTry: sentinel fmt --help\n`)
    return 2
  }
  if (write === true && check === true) return complain('--write changes files and --check changes none: give one of them.')
  if (write === true && args.includes('-')) return complain('the standard input cannot be written back: leave out --write.')
  if (args.length > 0 && options['config'] !== undefined) return complain('give files or -c FILE, not both.')
  if (args.length > 1 && write !== true && check !== true && diff !== true) return complain('several files go with --write, --check or --diff only.')
  if (args.length > 0) return args.map(name => name === '-' ? { name: '(standard input)' } : { name, path: resolve(shell.cwd, name) })
  const file = configFile('fmt', shell, options)
  return file === undefined ? 2 : [{ name: typeof options['config'] === 'string' ? options['config'] : 'sentinel.kdl', path: file }]
}

async function formatOne (source: Source, shell: Shell, options: OptionValues): Promise<Outcome> {
  const { readSource, replaceFile } = await import('./fmt-files.ts')
  const { fileReason, formatText, olderBlocks, printProblems, table } = await import('../../config/format/index.ts')
  const failed = (what: string, error: unknown): Outcome => {
    shell.err(`sentinel fmt: ${source.name} cannot be ${what}: ${fileReason(error)}\n`)
    return 'failed'
  }
  let text
  try {
    text = await readSource(source.path)
  } catch (error) {
    return failed('read', error)
  }
  let formatted
  try {
    formatted = formatText(text, source.name, options['keep-spelling'] === true ? undefined : { fields: table, older: olderBlocks })
  } catch (error) {
    return failed('formatted', error)
  }
  if (formatted.text === undefined) {
    shell.err(printProblems(formatted.problems, new Map([[source.name, text]]), { colour: shell.colour }))
    return 'invalid'
  }
  const changed = formatted.text !== text
  if (changed && options['write'] === true && source.path !== undefined) {
    try {
      await replaceFile(source.path, formatted.text)
    } catch (error) {
      return failed('written', error)
    }
  }
  if (options['write'] === true || options['check'] === true) shell.out(changed ? `${source.name}\n` : '')
  if (options['diff'] === true) {
    const { diffText } = await import('./fmt-diff.ts')
    shell.out(diffText(source.name, text, formatted.text))
  } else if (options['write'] !== true && options['check'] !== true) {
    shell.out(formatted.text)
  }
  return changed ? 'changed' : 'formatted'
}
