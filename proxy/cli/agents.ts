import type { AgentJson } from '../admin/agents-json.ts'
import { jsonText } from '../observe/quote.ts'
import { askRunning, errorOf, lookMs, runningOptions } from './ask-running.ts'
import type { Command } from './command.ts'

export const agents: Command = {
  name: 'agents',
  doc: 'Show how the agents of the running proxy do: state, version, load, failures, how long they take. Counts are of all workers, since the start.',
  arguments: '[AGENT]',
  options: { ...runningOptions, json: { type: 'boolean', doc: 'As JSON.' } },
  async run (shell, options, [only, ...more]) {
    if (more.length > 0) {
      shell.err('sentinel agents: at most one AGENT is needed.\nTry: sentinel agents --help\n')
      return 2
    }
    const answer = await askRunning('agents', shell, options, { method: 'GET', path: '/agents', patienceMs: lookMs })
    if (answer === undefined) return 2
    if (answer.status !== 200) {
      shell.err(`sentinel agents: ${errorOf(answer)}\n`)
      return 2
    }
    const { agents: all } = answer.body as { readonly agents: readonly AgentJson[] } // The proxy wrote it.
    const wanted = only === undefined ? all : all.filter(({ id }) => id === only)
    if (only !== undefined && wanted.length === 0) {
      shell.err(`sentinel agents: there is no agent '${only}'; there are: ${all.map(({ id }) => id).join(', ')}\n`)
      return 2
    }
    const { agentsTable } = await import('./print-agents.ts')
    shell.out(options['json'] === true ? `${jsonText(wanted)}\n` : agentsTable(wanted, shell.colour))
    return 0
  },
}
