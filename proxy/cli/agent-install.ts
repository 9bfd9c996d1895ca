import { basename, resolve } from 'node:path'
import type { AgentDescription } from './agent/describe-agent.ts'
import type { SettingTree } from './agent/dev-config.ts'
import type { FoundAgent } from './agent/find-agent.ts'
import { valuesOf, type Command, type OptionValues, type Shell } from './command.ts'

export const agentInstall: Command = {
  name: 'agent install',
  doc: 'Print what puts an agent to work: the block for sentinel.kdl, with every setting of the agent, and a unit for systemd. With --write and --unit they are put where they belong.',
  arguments: '[FOLDER]',
  options: {
    write: { type: 'string', value: 'FILE', doc: 'Add the block to this configuration. All of it stays as it is, and nothing is written when it would not load.' },
    unit: { type: 'string', value: 'FILE', doc: 'Write the unit to this file, which does not exist yet; the block then says that the service runs the agent. Without it the proxy does.' },
    user: { type: 'string', value: 'NAME', doc: 'Account of the service, which has to be the proxy\'s; sentinel without it.' },
    config: { type: 'string', multiple: true, value: 'NAME=VALUE', doc: 'A setting of the agent that is to be written in place of its default. A list takes several; a.b=VALUE is b in the block a.' },
  },
  async run (shell, options, [given, ...more]) {
    const { findAgent } = await import('./agent/find-agent.ts')
    const agent = more.length > 0 ? 'at most one FOLDER is needed.' : findAgent(shell.cwd, given)
    const values = await givenValues(options)
    const wrong = [agent, values, wrongUser(options), wrongUnit(options)].find((one) => typeof one === 'string')
    if (typeof agent === 'string' || typeof values === 'string' || wrong !== undefined) {
      shell.err(`sentinel agent install: ${String(wrong)}\nTry: sentinel agent install --help\n`)
      return 2
    }
    const { describeAgent } = await import('./agent/describe-agent.ts')
    const description = await describeAgent(agent, shell.env)
    if (typeof description === 'string') return refuse(shell, description)
    const { settingNames, unknownSetting } = await import('./agent/agent-block.ts')
    const unknown = unknownSetting(description, values)
    if (unknown !== undefined) {
      const names = settingNames(description)
      shell.err(`sentinel agent install: ${description.name} has no setting '${unknown}'. It has: ${names.length === 0 ? 'none' : names.join(', ')}\n`)
      return 1
    }
    return install(shell, options, { agent, description, values })
  },
}

interface Wanted {
  readonly agent: FoundAgent
  readonly description: AgentDescription
  readonly values: SettingTree
}

async function install (shell: Shell, options: OptionValues, { agent, description, values }: Wanted): Promise<number> {
  const { agentBlock } = await import('./agent/agent-block.ts')
  const { agentProgram } = await import('./agent/describe-agent.ts')
  const { agentUnit } = await import('./agent/agent-unit.ts')
  const { existsSync, rmSync, writeFileSync } = await import('node:fs')
  const { name } = description
  const command = agentProgram(agent)
  const { write } = options
  const unitFile = typeof options['unit'] === 'string' ? resolve(shell.cwd, options['unit']) : undefined
  if (unitFile !== undefined && existsSync(unitFile)) return refuse(shell, `${unitFile} exists already; nothing was changed.`)
  const socket = `/run/${name}/${name}.sock`
  const service = unitFile === undefined ? undefined : { name: basename(unitFile), socket }
  const block = agentBlock({ description, command, service, given: values })
  const inHome = command.some((word) => /^\/(?:home|root|Users)\//.test(word))
  const unit = agentUnit({ name, command, socket, user: userOf(options), inHome })
  // First, and gone again when the configuration stays as it is: a configuration must not wait for a unit that could not be written.
  if (unitFile !== undefined) {
    try {
      writeFileSync(unitFile, unit, { flag: 'wx', mode: 0o644 })
    } catch (error) {
      return refuse(shell, `${unitFile} cannot be written, and nothing was changed: ${(error as Error).message}`)
    }
  }
  if (typeof write === 'string') {
    const { putBlock } = await import('./agent/put-block.ts')
    const code = await putBlock(shell, { file: resolve(shell.cwd, write), name, block })
    if (code !== 0) {
      if (unitFile !== undefined) rmSync(unitFile)
      return code
    }
  } else {
    shell.out(`// For sentinel.kdl:\n\nagents {\n${block.text}}\n${unitFile === undefined ? `\n${aboutUnit(name, socket)}\n${unit}` : ''}`)
  }
  if (unitFile === undefined) return 0
  shell.out(`${unitFile} is written. It starts with: systemctl daemon-reload && systemctl enable --now ${basename(unitFile)}\n`)
  return 0
}

function refuse (shell: Shell, why: string): number {
  shell.err(`sentinel agent install: ${why}\n`)
  return 2
}

function userOf ({ user }: OptionValues): string {
  return typeof user === 'string' ? user : 'sentinel'
}

/** Names as systemd takes them for accounts (sysusers.d(5)). */
function wrongUser (options: OptionValues): string | undefined {
  const user = userOf(options)
  return /^[a-z_][a-z0-9_-]{0,30}$/.test(user) ? undefined : `${JSON.stringify(user)} cannot be the name of an account.`
}

/** Names as systemd takes them for services (systemd.unit(5)); anything else would be a file that it never reads. */
function wrongUnit ({ unit }: OptionValues): string | undefined {
  if (typeof unit !== 'string' || /^[\w:.\\-]+\.service$/.test(basename(unit))) return undefined
  return `${JSON.stringify(basename(unit))} cannot be the name of a unit: letters, digits and "-", then ".service".`
}

async function givenValues (options: OptionValues): Promise<SettingTree | string> {
  const { settingTree } = await import('./agent/dev-config.ts')
  const values = settingTree(valuesOf(options, 'config'))
  return typeof values === 'string' ? `${values}.` : values
}

function aboutUnit (name: string, socket: string): string {
  const unit = `/etc/systemd/system/${name}.service`
  return [
    `# To have systemd run it in place of the proxy: this as ${unit}, and in the block above, in place of command:`,
    `#     unix-socket "${socket}"`, '#     managed #false', `# sentinel agent install --unit ${unit} --write sentinel.kdl does both.`, '',
  ].join('\n')
}
