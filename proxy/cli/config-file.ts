import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { CommandOption, OptionValues, Shell } from './command.ts'

export const configOption: CommandOption = { type: 'string', short: 'c', value: 'FILE', doc: 'The configuration; without it sentinel.kdl in this folder.' }

/** The file to use, or `undefined` when there is none and the reason has been said. A configuration is never invented. */
export function configFile (command: string, shell: Shell, options: OptionValues): string | undefined {
  const given = options['config']
  const file = resolve(shell.cwd, typeof given === 'string' ? given : 'sentinel.kdl')
  if (existsSync(file)) return file
  shell.err(typeof given === 'string'
    ? `sentinel ${command}: ${file} does not exist.\n`
    : `sentinel ${command}: there is no sentinel.kdl in ${shell.cwd}. Name a configuration with -c FILE.\n`)
  return undefined
}
