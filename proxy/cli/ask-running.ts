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
  const { ask, ControlError, findPlaces, surroundingsOf } = await import('../control/index.ts')
  const { resolve } = await import('node:path')
  const given = options['socket']
  const file = typeof given === 'string' ? undefined : configFile(command, shell, options)
  if (typeof given !== 'string' && file === undefined) return undefined
  try {
    return await ask(typeof given === 'string' ? [resolve(shell.cwd, given)] : findPlaces(file!, surroundingsOf(shell.env)), asked)
  } catch (error) {
    if (!(error instanceof ControlError)) throw error
    shell.err(`sentinel ${command}: ${error.message}${file === undefined ? '' : ` (${file})`}\n`)
    return undefined
  }
}

/** The sentence of an answer that refuses. */
export function errorOf ({ body, status }: Answered): string {
  const { error } = body as { readonly error?: unknown }
  return typeof error === 'string' ? error : `the proxy answered ${status}`
}
