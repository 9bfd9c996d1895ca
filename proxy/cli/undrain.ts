import type { Command } from './command.ts'
import { markTarget } from './mark-target.ts'
import { runningOptions } from './ask-running.ts'

export const undrain: Command = {
  name: 'undrain',
  doc: 'Put a target back that drain took out.',
  arguments: 'UPSTREAM TARGET',
  options: { ...runningOptions },
  run: (shell, options, args) => markTarget({ command: 'undrain', said: 'gets requests again' }, shell, options, args),
}
