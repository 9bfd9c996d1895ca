import type { Command } from './command.ts'
import { markTarget } from './mark-target.ts'
import { runningOptions } from './ask-running.ts'

export const drain: Command = {
  name: 'drain',
  doc: 'Take a target out of its upstream: what it has finishes, new requests go to others. Until undrain, over all reloads.',
  arguments: 'UPSTREAM TARGET',
  options: { ...runningOptions },
  run: (shell, options, args) => markTarget({ command: 'drain', said: 'gets no new requests' }, shell, options, args),
}
