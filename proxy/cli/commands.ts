import { parseArgs } from 'node:util'
import { nearest } from '../../config/kdl/nearest.ts'
import { agentCall } from './agent-call.ts'
import { agentConformance } from './agent-conformance.ts'
import { agentDev } from './agent-dev.ts'
import { agentInstall } from './agent-install.ts'
import { agentNew } from './agent-new.ts'
import { agentRun } from './agent-run.ts'
import { agentTest } from './agent-test.ts'
import { agents } from './agents.ts'
import { cachePurge, cacheStats } from './cache-commands.ts'
import { check } from './check.ts'
import { completion } from './completion.ts'
import { configDump, configReference, configSchema } from './config-commands.ts'
import { diff } from './diff.ts'
import type { Command, CommandOption, Shell } from './command.ts'
import { drain } from './drain.ts'
import { evidenceVerify } from './evidence-verify.ts'
import { explain } from './explain.ts'
import { fmt } from './fmt.ts'
import { lsp } from './lsp.ts'
import { man } from './man.ts'
import { record } from './record.ts'
import { reload } from './reload.ts'
import { replay } from './replay.ts'
import { routes } from './routes.ts'
import { run } from './run.ts'
import { status } from './status.ts'
import { stop } from './stop.ts'
import { tail } from './tail.ts'
import { undrain } from './undrain.ts'
import { upgrade } from './upgrade.ts'
import { version } from './version.ts'

/** Every command, in the order the help shows them. */
export const commands: readonly Command[] = [
  run, reload, status, agents, tail, record, replay, drain, undrain, cachePurge, cacheStats, upgrade, stop, check, fmt, explain, routes, diff,
  configDump, configReference, configSchema, evidenceVerify, agentNew, agentDev, agentTest, agentInstall, agentRun, agentCall, agentConformance, lsp,
  completion(() => commands), man(() => commands), version,
]

const help: CommandOption = { type: 'boolean', short: 'h', doc: 'Show this help.' }

/** Finds the command, reads its options and runs it. Unknown words are answered with the nearest known one. */
export async function runCommand (argv: readonly string[], shell: Shell): Promise<number> {
  const command = findCommand(argv)
  if (command !== undefined) return runFound(command, argv.slice(command.name.split(' ').length), shell)
  const words = argv.filter((word) => !word.startsWith('-'))
  if (words.length === 0 || words[0] === 'help') {
    if (argv.includes('--version') || argv.includes('-V')) return runFound(version, [], shell)
    const topic = findCommand(words.slice(1))
    shell.out(topic === undefined ? overview() : usage(topic))
    return argv.length === 0 ? 2 : 0
  }
  const group = commands.filter(({ name }) => name.startsWith(words[0]! + ' '))
  if (group.length > 0 && (words.length === 1 || argv.includes('--help') || argv.includes('-h'))) {
    shell.out(group.map(usage).join('\n'))
    return words.length === 1 && !argv.includes('--help') && !argv.includes('-h') ? 2 : 0
  }
  return unknownCommand(words.slice(0, group.length > 0 ? 2 : 1).join(' '), shell)
}

function findCommand (argv: readonly string[]): Command | undefined {
  return commands.find(({ name }) => name === argv.slice(0, name.split(' ').length).join(' '))
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
  const close = nearest(word, [...commands.map(({ name }) => name), 'help'])
  shell.err(`sentinel: unknown command '${word}'.${close === undefined ? '' : ` Did you mean '${close}'?`}\nTry: sentinel --help\n`)
  return 2
}

function overview (): string {
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
