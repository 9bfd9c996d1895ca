import type { SentinelConfig } from '../../config/sentinel/index.ts'
import { jsonText } from '../observe/quote.ts'
import type { OptionValues, Shell } from './command.ts'
import { configFile } from './config-file.ts'

export interface UsableConfig {
  readonly config: SentinelConfig
  /** Values that came from the environment or from files: nothing may print them. */
  readonly secrets: ReadonlySet<string>
}

/** The configuration for a command that only reads it, or `undefined` when it has errors, which have been said then. */
export async function usableConfig (command: string, shell: Shell, options: OptionValues): Promise<UsableConfig | undefined> {
  const file = configFile(command, shell, options)
  if (file === undefined) return undefined
  const { loadConfig, printProblems } = await import('../../config/sentinel/index.ts')
  const { config, problems, sources, secrets } = await loadConfig(file, { env: shell.env })
  if (config !== undefined) return { config, secrets }
  const errors = problems.filter(({ severity }) => severity === 'error')
  if (options['json'] === true) shell.out(`${jsonText({ ok: false, problems: errors })}\n`)
  else shell.err(printProblems(errors, sources, { colour: shell.colour }))
  shell.err(`sentinel ${command}: ${file} has errors; sentinel check tells more.\n`)
  return undefined
}
