import { askRunning, errorOf, runningOptions } from './ask-running.ts'
import type { Command } from './command.ts'

export const upgrade: Command = {
  name: 'upgrade',
  doc: 'Have the running proxy hand its sockets to a new process, started from what is installed now, and wait until that one serves. No request fails.',
  options: { ...runningOptions },
  async run (shell, options) {
    const answer = await askRunning('upgrade', shell, options, { method: 'POST', path: '/upgrade' })
    if (answer === undefined) return 2
    if (answer.status === 200) shell.out(`process ${(answer.body as { readonly pid: number }).pid} serves now\n`)
    else shell.err(`sentinel upgrade: ${errorOf(answer)}\n`)
    return answer.status === 200 ? 0 : 2
  },
}
