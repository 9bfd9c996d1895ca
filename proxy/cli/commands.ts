import { parseArgs } from 'node:util'
import { nearest } from '../../config/kdl/nearest.ts'
import type { Command, CommandOption, Shell } from './command.ts'

/** Where each command is, by its name, in the order the help shows them. Only the one that is asked for is loaded: a proxy does not wait for the others. */
const places: Readonly<Record<string, () => Promise<Command>>> = {
  run: async () => (await import('./run.ts')).run,
  reload: async () => (await import('./reload.ts')).reload,
  status: async () => (await import('./status.ts')).status,
  agents: async () => (await import('./agents.ts')).agents,
  tail: async () => (await import('./tail.ts')).tail,
  record: async () => (await import('./record.ts')).record,
  replay: async () => (await import('./replay.ts')).replay,
  drain: async () => (await import('./drain.ts')).drain,
  undrain: async () => (await import('./undrain.ts')).undrain,
  'cache purge': async () => (await import('./cache-commands.ts')).cachePurge,
  'cache stats': async () => (await import('./cache-commands.ts')).cacheStats,
  upgrade: async () => (await import('./upgrade.ts')).upgrade,
  stop: async () => (await import('./stop.ts')).stop,
  check: async () => (await import('./check.ts')).check,
  fmt: async () => (await import('./fmt.ts')).fmt,
  explain: async () => (await import('./explain.ts')).explain,
  routes: async () => (await import('./routes.ts')).routes,
  diff: async () => (await import('./diff.ts')).diff,
  'config dump': async () => (await import('./config-commands.ts')).configDump,
  'config reference': async () => (await import('./config-commands.ts')).configReference,
  'config schema': async () => (await import('./config-commands.ts')).configSchema,
  'evidence verify': async () => (await import('./evidence-verify.ts')).evidenceVerify,
  'agent new': async () => (await import('./agent-new.ts')).agentNew,
  'agent dev': async () => (await import('./agent-dev.ts')).agentDev,
  'agent test': async () => (await import('./agent-test.ts')).agentTest,
  'agent install': async () => (await import('./agent-install.ts')).agentInstall,
  'agent run': async () => (await import('./agent-run.ts')).agentRun,
  'agent call': async () => (await import('./agent-call.ts')).agentCall,
  'agent conformance': async () => (await import('./agent-conformance.ts')).agentConformance,
  lsp: async () => (await import('./lsp.ts')).lsp,
  completion: async () => (await import('./completion.ts')).completion(allCommands),
  man: async () => (await import('./man.ts')).man(allCommands),
  version: async () => (await import('./version.ts')).version,
}
export const commandNames: readonly string[] = Object.keys(places)

/** Every command, in the order the help shows them. */
export function allCommands (): Promise<readonly Command[]> {
  return Promise.all(commandNames.map((name) => places[name]!()))
}

const help: CommandOption = { type: 'boolean', short: 'h', doc: 'Show this help.' }

/** Finds the command, reads its options and runs it. Unknown words are answered with the nearest known one. */
export async function runCommand (argv: readonly string[], shell: Shell): Promise<number> {
  const command = await findCommand(argv)
  if (command !== undefined) return runFound(command, argv.slice(command.name.split(' ').length), shell)
  const words = argv.filter((word) => !word.startsWith('-'))
  if (words.length === 0 || words[0] === 'help') {
    if (argv.includes('--version') || argv.includes('-V')) return runFound(await places['version']!(), [], shell)
    const topic = await findCommand(words.slice(1))
    shell.out(topic === undefined ? overview(await allCommands()) : usage(topic))
    return argv.length === 0 ? 2 : 0
  }
  const group = commandNames.filter((name) => name.startsWith(words[0]! + ' '))
  if (group.length > 0 && (words.length === 1 || argv.includes('--help') || argv.includes('-h'))) {
    shell.out((await Promise.all(group.map((name) => places[name]!()))).map(usage).join('\n'))
    return words.length === 1 && !argv.includes('--help') && !argv.includes('-h') ? 2 : 0
  }
  return unknownCommand(words.slice(0, group.length > 0 ? 2 : 1).join(' '), shell)
}

function findCommand (argv: readonly string[]): Promise<Command> | undefined {
  const found = commandNames.find((name) => name === argv.slice(0, name.split(' ').length).join(' '))
  return found === undefined ? undefined : places[found]!()
}

async function runFound (command: Command, argv: readonly string[], shell: Shell): Promise<number> {
  const options = { ...command.options, help }
  let parsed
  try {
    parsed = parseArgs({ args: argv.map((word) => withImplied(word, options)), options, allowPositionals: command.arguments !== undefined, strict: true })
  } catch (error) {
    // parseArgs throws nothing but TypeErrors with a sentence for the user.
    shell.err(`sentinel ${command.name}: ${(error as Error).message.split('. ')[0]}.${hintFor(argv, options)}\nTry: sentinel ${command.name} --help\n`)
    return 2
  }
  if (parsed.values.help === true) {
    shell.out(usage(command))
    return 0
  }
  return command.run(shell, parsed.values, parsed.positionals)
}

/** "--inspect" → "--inspect=9229" */
function withImplied (word: string, options: Readonly<Record<string, CommandOption>>): string {
  const implied = word.startsWith('--') ? options[word.slice(2)]?.implied : undefined
  return implied === undefined ? word : `${word}=${implied}`
}

function hintFor (argv: readonly string[], options: Readonly<Record<string, CommandOption>>): string {
  const known = Object.keys(options)
  const wrong = argv.find((word) => word.startsWith('--') && !known.includes(word.slice(2).split('=')[0]!))
  const close = wrong === undefined ? undefined : nearest(wrong.slice(2).split('=')[0]!, known)
  return close === undefined ? '' : ` Did you mean '--${close}'?`
}

function unknownCommand (word: string, shell: Shell): number {
  const close = nearest(word, [...commandNames, 'help'])
  shell.err(`sentinel: unknown command '${word}'.${close === undefined ? '' : ` Did you mean '${close}'?`}\nTry: sentinel --help\n`)
  return 2
}

function overview (commands: readonly Command[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length)) + 2
  return 'Sentinel: a reverse proxy whose policy lives in agents\n\nUsage: sentinel COMMAND [OPTIONS]\n\n' +
    commands.map(({ name, doc }) => `  ${name.padEnd(width)}${doc}\n`).join('') +
    '\nsentinel COMMAND --help tells more. Without -c, sentinel.kdl in this folder is used.\n'
}

function valueOf ({ type, value = 'VALUE', implied }: CommandOption): string {
  if (type !== 'string') return ''
  return implied === undefined ? ` ${value}` : `[=${value}]`
}

function usage ({ name, doc, arguments: args, options }: Command): string {
  const rows = Object.entries({ ...options, help }).map(([long, option]) => ({
    left: `${option.short === undefined ? '    ' : `-${option.short}, `}--${long}${valueOf(option)}${option.multiple === true ? ' …' : ''}`,
    doc: option.doc,
  }))
  const width = Math.max(...rows.map(({ left }) => left.length)) + 2
  return `Usage: sentinel ${name}${args === undefined ? '' : ` ${args}`} [OPTIONS]\n\n${doc}\n\n` +
    rows.map((row) => `  ${row.left.padEnd(width)}${row.doc}\n`).join('')
}
