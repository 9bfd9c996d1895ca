import type { Answered, Asked } from '../control/index.ts'
import type { CommandOption, OptionValues, Shell } from './command.ts'
import { configFile, configOption } from './config-file.ts'

/** Options of the commands that talk to a running proxy. */
export const runningOptions = {
  config: { ...configOption, doc: 'The configuration that the proxy runs on; without it sentinel.kdl in this folder.' },
  socket: { type: 'string', short: 's', value: 'PATH', doc: 'The control socket, when the configuration says nothing and it is not where it is looked for.' },
} as const satisfies Readonly<Record<string, CommandOption>>

/** Has a running proxy do something. `undefined` when none did; why has been said then, and the exit code is 2. */
export async function askRunning (command: string, shell: Shell, options: OptionValues, asked: Asked): Promise<Answered | undefined> {
  const { ask, ControlError } = await import('../control/index.ts')
  const places = await placesOf(command, shell, options)
  if (places === undefined) return undefined
  try {
    return await ask(places, asked)
  } catch (error) {
    if (!(error instanceof ControlError)) throw error
    const file = typeof options['socket'] === 'string' ? undefined : configFile(command, shell, options)
    shell.err(`sentinel ${command}: ${error.message}${file === undefined ? '' : ` (${file})`}\n`)
    return undefined
  }
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

/** The sentence of an answer that refuses. */
export function errorOf ({ body, status }: Answered): string {
  const { error } = body as { readonly error?: unknown }
  return typeof error === 'string' ? error : `the proxy answered ${status}`
}
