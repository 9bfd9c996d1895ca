import { runningOptions } from './ask-running.ts'
import type { Command, CommandOption } from './command.ts'
import { followRunning } from './follow-running.ts'
import { tailFilter } from './tail-filter.ts'

const many = { type: 'string', multiple: true } as const

/** Which exchanges somebody wants to see. */
export const filterOptions = {
  route: { ...many, value: 'ROUTE', doc: 'Of this route.' },
  status: { ...many, value: 'STATUS', doc: 'With such a status: 404, 5xx, 400-499, ">=500"; 0 is no answer.' },
  agent: { ...many, value: 'AGENT', doc: 'That this agent decided about.' },
  ip: { ...many, value: 'IP', doc: 'Of this client, or of a network such as 10.0.0.0/8.' },
  method: { ...many, value: 'METHOD', doc: 'With this method.' },
  path: { ...many, value: 'PATH', doc: 'Whose path begins so; with * in it, whose whole path is so.' },
} as const satisfies Readonly<Record<string, CommandOption>>

export const tail: Command = {
  name: 'tail',
  doc: 'Show requests of the running proxy as they end: what came of each, where the time went, what agents decided. Options of different kinds must all fit.',
  options: {
    ...runningOptions,
    ...filterOptions,
    json: { type: 'boolean', doc: 'As JSON, one line each: those of the access log.' },
  },
  async run (shell, options) {
    const filter = tailFilter(options)
    if (typeof filter === 'string') {
      shell.err(`sentinel tail: ${filter}.\n`)
      return 2
    }
    const { printer } = await import('./tail-lines.ts')
    return followRunning('tail', shell, options, { path: '/tail', body: filter, onLine: printer(shell, options['json'] === true) })
  },
}
