import { setTimeout as sleep } from 'node:timers/promises'
import { placesOf, runningOptions } from './ask-running.ts'
import type { Command, OptionValues, Shell } from './command.ts'
import { tailFilter } from './tail-filter.ts'

const many = { type: 'string', multiple: true } as const

/** An upgrade puts another process in the place of the one that was asked, and a restart takes a moment. */
const comesBackMs = 10_000
const askAgainMs = 200

export const tail: Command = {
  name: 'tail',
  doc: 'Show requests of the running proxy as they end: what came of each, where the time went, what agents decided. Options of different kinds must all fit.',
  options: {
    ...runningOptions,
    route: { ...many, value: 'ROUTE', doc: 'Of this route.' },
    status: { ...many, value: 'STATUS', doc: 'With such a status: 404, 5xx, 400-499, ">=500"; 0 is no answer.' },
    agent: { ...many, value: 'AGENT', doc: 'That this agent decided about.' },
    ip: { ...many, value: 'IP', doc: 'Of this client, or of a network such as 10.0.0.0/8.' },
    method: { ...many, value: 'METHOD', doc: 'With this method.' },
    path: { ...many, value: 'PATH', doc: 'Whose path begins so; with * in it, whose whole path is so.' },
    json: { type: 'boolean', doc: 'As JSON, one line each: those of the access log.' },
  },
  async run (shell, options) {
    const filter = tailFilter(options)
    if (typeof filter === 'string') {
      shell.err(`sentinel tail: ${filter}.\n`)
      return 2
    }
    const { follow, ControlError } = await import('../control/index.ts')
    const { printer } = await import('./tail-lines.ts')
    const print = printer(shell, options['json'] === true)
    let begun = false
    for (let triedSinceMs = performance.now(); ;) {
      const places = await placesOf('tail', shell, options)
      if (places === undefined) return 2
      try {
        const { status, text } = await follow(places, { path: '/tail', body: filter, onLine: (line) => { begun = print(line) || begun } })
        if (status !== 200) return refused(shell, text)
        triedSinceMs = performance.now()
      } catch (error) {
        if (!(error instanceof ControlError)) throw error
        if (!begun || error.code === 'NOT_ALLOWED' || performance.now() - triedSinceMs > comesBackMs) return gone(shell, options, error.message)
      }
      await sleep(askAgainMs)
    }
  },
}

function refused (shell: Shell, text: string): number {
  let said = text
  try {
    said = String((JSON.parse(text) as { error?: unknown }).error)
  } catch { /* as it came */ }
  shell.err(`sentinel tail: ${said}\n`)
  return 2
}

function gone (shell: Shell, options: OptionValues, why: string): number {
  const { config } = options
  shell.err(`sentinel tail: ${why}${typeof config === 'string' ? ` (${config})` : ''}\n`)
  return 2
}
