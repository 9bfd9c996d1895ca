import { askRunning, errorOf, runningOptions } from './ask-running.ts'
import type { Command } from './command.ts'

export const stop: Command = {
  name: 'stop',
  doc: 'Stop the running proxy as SIGTERM does, and wait until it has ended: open requests may finish within system { graceful-shutdown-timeout }.',
  options: { ...runningOptions, now: { type: 'boolean', doc: 'Cut off what is open.' } },
  async run (shell, options) {
    const answer = await askRunning('stop', shell, options, { method: 'POST', path: '/stop', body: { now: options['now'] === true } })
    if (answer === undefined) return 2
    if (answer.status === 200) shell.out('stopped\n')
    else shell.err(`sentinel stop: ${errorOf(answer)}\n`)
    return answer.status === 200 ? 0 : 2
  },
}
