import { jsonText } from '../observe/quote.ts'
import type { Command, OptionValues, Shell } from './command.ts'
import { agentTargetOf, targetOptions } from './agent-target.ts'
import type { Cases } from './replay/cases.ts'
import type { Asked } from './replay/whom.ts'

const { timeout, ...tls } = targetOptions

export const replay: Command = {
  name: 'replay',
  doc: 'Put recorded exchanges (sentinel record, or an evidence file) to an agent and tell which decisions would change. Each agent is asked on its own, with what earlier ones had changed when it was recorded. Exit code 0: none; 1: some; 2: not all could be put.',
  arguments: 'FILE',
  options: {
    agent: { type: 'string', short: 'a', value: 'AGENT', doc: 'Whom to ask: unix:/path/of/its.sock or host:port, or the name of an agent of the configuration.' },
    config: { type: 'string', short: 'c', value: 'FILE', doc: 'Start the agents of this configuration, as run would, and ask them; with --agent NAME that one alone. No listener is opened.' },
    as: { type: 'string', value: 'NAME', doc: 'Which of the recorded agents is meant, where several were recorded and the one to ask is given by its address.' },
    ignore: { type: 'string', multiple: true, value: 'WHAT', doc: 'Not a change: verdict, answer, edits, attributes, body, reason.' },
    save: { type: 'string', value: 'FOLDER', doc: 'Write the cases and what was decided as tests into this folder, for the sdk; needs no agent.' },
    module: { type: 'string', value: 'FILE', doc: 'Module of the agent that those tests import, as seen from the folder. Without it the agent of the current folder.' },
    timeout,
    ...tls,
    json: { type: 'boolean', doc: 'As JSON.' },
  },
  async run (shell, options, [name, ...more]) {
    const refuse = (why: string): number => {
      shell.err(`sentinel replay: ${why}\n`)
      return 2
    }
    if (name === undefined || more.length > 0) return refuse('exactly one FILE is needed.\nTry: sentinel replay --help')
    const { NotReplayable } = await import('./replay/cases.ts')
    const { readCases } = await import('./replay/read-cases.ts')
    const { resolve } = await import('node:path')
    let found: Cases
    try {
      found = readCases(resolve(shell.cwd, name), name)
    } catch (error) {
      if (error instanceof NotReplayable) return refuse(`${error.message}.`)
      return refuse(`${name} cannot be read: ${error instanceof Error ? error.message : String(error)}`)
    }
    if (options['save'] !== undefined) return save(shell, options, found, refuse)
    return put(shell, options, found, refuse)
  },
}

type Refuse = (why: string) => number

async function put (shell: Shell, options: OptionValues, found: Cases, refuse: Refuse): Promise<number> {
  const { differences } = await import('./replay/compare.ts')
  const ignored = new Set([options['ignore'] ?? []].flat().map(String))
  const unknown = [...ignored].find((what) => !(differences as readonly string[]).includes(what))
  if (unknown !== undefined) return refuse(`'${unknown}' is nothing that can be ignored: write one of ${differences.join(', ')}.`)
  const asked = await whom(shell, options, found)
  if (typeof asked === 'number') return asked
  if (typeof asked === 'string') return refuse(`${asked}.`)
  try {
    const { putToAll } = await import('./replay/put-to-all.ts')
    const { exitCode, reportJson, reportText } = await import('./replay/print-replay.ts')
    const report = await putToAll(found, asked, ignored)
    shell.out(options['json'] === true ? `${jsonText(reportJson(report, found))}\n` : reportText(report, found, shell.colour))
    return exitCode(report)
  } finally {
    await asked.stop()
  }
}

/** Who is asked; a sentence when that cannot be understood, an exit code when it has been said. */
async function whom (shell: Shell, options: OptionValues, found: Cases): Promise<Asked | string | number> {
  const { agent, config, as } = options
  const { agentsOfConfig, agentAt } = await import('./replay/whom.ts')
  const ofCases = [...new Set(found.cases.flatMap(({ agents }) => agents.map((one) => one.agent)))]
  const target = await agentTargetOf(shell, String(agent ?? 'nobody:1'), options)
  if (config === undefined) {
    if (typeof agent !== 'string') return 'say whom to ask: --agent unix:/path/of/its.sock, or --config FILE for the agents of a configuration'
    return typeof target === 'string' ? `${target}; for an agent of a configuration give that with --config` : agentAt(agent, target, ofCases, typeof as === 'string' ? as : undefined)
  }
  const { configFile } = await import('./config-file.ts')
  const { loadOrSay } = await import('./load-or-say.ts')
  const file = configFile('replay', shell, options)
  const loaded = file === undefined ? undefined : await loadOrSay(file, shell)
  if (file === undefined || loaded === undefined) return 2
  const timeoutMs = typeof target === 'string' ? 5_000 : target.timeoutMs
  return agentsOfConfig({ config: loaded.config, file, env: shell.env, ofCases, only: typeof agent === 'string' ? agent : undefined, timeoutMs })
}

async function save (shell: Shell, options: OptionValues, found: Cases, refuse: Refuse): Promise<number> {
  const { saveTests } = await import('./replay/save-tests.ts')
  const { findAgent } = await import('./agent/find-agent.ts')
  const { join, relative, resolve } = await import('node:path')
  const { as, module } = options
  const folder = String(options['save'])
  const here = findAgent(shell.cwd, undefined)
  if (typeof module !== 'string' && typeof here === 'string') return refuse(`${here}\nOr say with --module which module has the agent, as seen from ${folder}`)
  const agentModule = typeof module === 'string' ? module : moduleText(relative(resolve(shell.cwd, folder), typeof here === 'string' ? '' : here.file))
  const saved = saveTests(found, { folder: resolve(shell.cwd, folder), agent: typeof as === 'string' ? as : undefined, module: agentModule })
  if (typeof saved === 'string') return refuse(`${saved}.`)
  shell.out(`${saved.cases} ${saved.cases === 1 ? 'case is' : 'cases are'} in ${folder}${saved.left === 0 ? '' : `, ${saved.left} are not: nothing was decided about them`}\nsentinel agent test ${join(folder, 'replay.test.mjs')}\n`)
  return 0
}

function moduleText (path: string): string {
  return path.startsWith('.') ? path : `./${path}`
}
