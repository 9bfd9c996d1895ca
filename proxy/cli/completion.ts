import { nearest } from '../../config/kdl/nearest.ts'
import type { Command } from './command.ts'

const shells = ['bash', 'zsh', 'fish'] as const

/** `all` gives the table of commands, which this one is in itself. */
export function completion (all: () => Promise<readonly Command[]>): Command {
  return {
    name: 'completion',
    doc: 'Print what makes a shell complete the command line of sentinel.',
    arguments: shells.join('|'),
    options: {},
    async run (shell, _options, [name = '', ...more]) {
      const wanted = shells.find(known => known === name)
      if (wanted === undefined || more.length > 0) {
        const near = nearest(name, shells)
        const hint = more.length === 0 && near !== undefined ? ` Did you mean '${near}'?` : ''
        shell.err(`sentinel completion: exactly one of ${shells.join(', ')} is needed.${hint}\nTry: sentinel completion --help\n`)
        return 2
      }
      const { shellCommands } = await import('./completion/words.ts')
      const commands = shellCommands(await all())
      if (wanted === 'bash') shell.out((await import('./completion/bash.ts')).bashCompletion(commands))
      else if (wanted === 'zsh') shell.out((await import('./completion/zsh.ts')).zshCompletion(commands))
      else shell.out((await import('./completion/fish.ts')).fishCompletion(commands))
      return 0
    },
  }
}
