import type { Answered, Asked, ControlError } from '../control/index.ts'
import { printable } from '../observe/quote.ts'
import type { CommandOption, OptionValues, Shell } from './command.ts'
import { configFile, configOption } from './config-file.ts'

/** Options of the commands that talk to a running proxy. */
export const runningOptions = {
  config: { ...configOption, doc: 'The configuration that the proxy runs on; without it sentinel.kdl in this folder.' },
  socket: { type: 'string', short: 's', value: 'PATH', doc: 'The control socket, when the configuration says nothing and it is not where it is looked for.' },
} as const satisfies Readonly<Record<string, CommandOption>>

/** Of commands that only look: a worker that is stuck is killed before that, and whoever waits longer learns nothing. */
export const lookMs = 10_000

/** Has a running proxy do something. `undefined` when none did; why has been said then, and the exit code is 2. */
export async function askRunning (command: string, shell: Shell, options: OptionValues, asked: Asked): Promise<Answered | undefined> {
  const { ask, ControlError } = await import('../control/index.ts')
  const places = await placesOf(command, shell, options)
  if (places === undefined) return undefined
  try {
    return await ask(places, asked)
  } catch (error) {
    if (!(error instanceof ControlError)) throw error
    sayUnanswered(command, shell, options, error)
    return undefined
  }
}

/** Why nobody did, and where it was looked. */
export function sayUnanswered (command: string, shell: Shell, options: OptionValues, { code, message }: ControlError): void {
  const { socket } = options
  const file = typeof socket === 'string' ? undefined : configFile(command, shell, options)
  const why = typeof socket === 'string' && code === 'NOT_RUNNING' ? `no Sentinel answers on ${socket}` : message
  shell.err(`sentinel ${command}: ${printable(why)}${file === undefined ? '' : ` (${file})`}\n`)
}

/** Where the socket of the proxy may be. `undefined` when there is no configuration; that has been said then. */
export async function placesOf (command: string, shell: Shell, options: OptionValues): Promise<string[] | undefined> {
  const { findPlaces, surroundingsOf } = await import('../control/index.ts')
  const { resolve } = await import('node:path')
  const given = options['socket']
  if (typeof given === 'string') return [resolve(shell.cwd, given)]
  const file = configFile(command, shell, options)
  return file === undefined ? undefined : findPlaces(file, surroundingsOf(shell.env))
}

/** The sentence of an answer that refuses: it may repeat what an agent said. */
export function errorOf ({ body, status }: Answered): string {
  const { error } = body as { readonly error?: unknown }
  return typeof error === 'string' ? printable(error) : `the proxy answered ${status}`
}
