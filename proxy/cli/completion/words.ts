import type { Command, CommandOption } from '../command.ts'

/** What a value of the command line is: files are for the shell to find, words are listed, and anything else only the user knows. */
export type ValueKind = { readonly is: 'file' | 'folder' | 'text' } | { readonly is: 'words', readonly words: readonly string[] }

/** Told from its name in the help: `FILE`, `OLD`, `DIR`, `bash|zsh|fish`. */
export function valueKind (name: string): ValueKind {
  const plain = name.replace(/^\[|\]$/g, '').replace(/\.\.\.$|…$/, '')
  if (/^[a-z0-9-]+(?:\|[a-z0-9-]+)+$/.test(plain)) return { is: 'words', words: plain.split('|') }
  if (/(?:^|[_-])(?:FILE|FILES|OLD|NEW|PATH)$/.test(plain)) return { is: 'file' }
  return { is: /(?:^|[_-])(?:DIR|FOLDER)$/.test(plain) ? 'folder' : 'text' }
}

export interface ShellOption {
  readonly long: string
  readonly short?: string
  readonly doc: string
  /** The name of its value and what that is; missing for a switch. */
  readonly value?: { readonly name: string, readonly kind: ValueKind }
}

export interface ShellCommand {
  readonly name: string
  readonly doc: string
  readonly options: readonly ShellOption[]
  /** Its values, in order. One that repeats takes all that follow. */
  readonly values: readonly { readonly name: string, readonly kind: ValueKind, readonly repeats: boolean }[]
}

/** The table of commands as a shell needs it. `help` is added: every command has it. */
export function shellCommands (commands: readonly Command[]): ShellCommand[] {
  return commands.map(({ name, doc, arguments: args, options }) => ({
    name,
    doc: firstSentence(doc),
    options: [...Object.entries(options).map(([long, option]) => shellOption(long, option)), { long: 'help', short: 'h', doc: 'Show this help.' }],
    values: (args ?? '').split(' ').filter(word => word !== '').map(word => ({ name: word, kind: valueKind(word), repeats: /(?:\.\.\.|…)\]?$/.test(word) })),
  }))
}

function shellOption (long: string, { type, short, value = 'VALUE', implied, doc }: CommandOption): ShellOption {
  const takesNext = type === 'string' && implied === undefined
  return { long, doc: firstSentence(doc), ...short === undefined ? {} : { short }, ...takesNext ? { value: { name: value, kind: valueKind(value) } } : {} }
}

/** Groups of commands: "evidence" for "evidence verify", with the second words. */
export function groupsOf (commands: readonly ShellCommand[]): ReadonlyMap<string, readonly ShellCommand[]> {
  const groups = new Map<string, ShellCommand[]>()
  for (const command of commands) {
    const [group = '', second] = command.name.split(' ')
    if (second !== undefined) groups.set(group, [...groups.get(group) ?? [], command])
  }
  return groups
}

/** Words that may come first. */
export function firstWords (commands: readonly ShellCommand[]): readonly { readonly name: string, readonly doc: string }[] {
  const groups = groupsOf(commands)
  const first = commands.flatMap(({ name, doc }) => name.includes(' ') ? [] : [{ name, doc }])
  const grouped = [...groups].filter(([group]) => first.every(({ name }) => name !== group))
    .map(([name, members]) => ({ name, doc: `${members.map(member => member.name.split(' ')[1]).join(', ')}.` }))
  return [...first, ...grouped, { name: 'help', doc: 'Show the help of a command.' }]
}

function firstSentence (doc: string): string {
  return /^(.*?[^.]\.)(?: [A-Z]|$)/.exec(doc)?.[1] ?? doc
}
