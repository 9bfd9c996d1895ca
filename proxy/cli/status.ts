import type { StatusJson } from '../admin/status.ts'
import { jsonText } from '../observe/quote.ts'
import { askRunning, errorOf, lookMs, runningOptions } from './ask-running.ts'
import type { Command } from './command.ts'

export const status: Command = {
  name: 'status',
  doc: 'Show how the running proxy does: its listeners, targets, agents, and how the last reload went.',
  options: { ...runningOptions, json: { type: 'boolean', doc: 'As JSON.' } },
  async run (shell, options) {
    const answer = await askRunning('status', shell, options, { method: 'GET', path: '/status', patienceMs: lookMs })
    if (answer === undefined) return 2
    if (answer.status !== 200) {
      shell.err(`sentinel status: ${errorOf(answer)}\n`)
      return 2
    }
    const { printStatus } = await import('./print-status.ts')
    shell.out(options['json'] === true ? `${jsonText(answer.body)}\n` : printStatus(answer.body as StatusJson, shell.colour))
    return 0
  },
}
