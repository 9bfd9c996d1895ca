import type { Loaded, SentinelConfig } from '../../config/sentinel/index.ts'
import { jsonText } from '../observe/quote.ts'
import type { Shell } from './command.ts'

export interface LoadOrSayOptions {
  readonly textOnly?: boolean
  /** Errors go to `out` as JSON in place of the text on `err`. */
  readonly json?: boolean
}

interface LoadedWhole extends Loaded {
  readonly config: SentinelConfig
}

/** A configuration without errors; `undefined` after its errors were printed as `check` prints them. */
export async function loadOrSay (file: string, shell: Shell, options: LoadOrSayOptions = {}): Promise<LoadedWhole | undefined> {
  const { loadConfig, printProblems } = await import('../../config/sentinel/index.ts')
  const loaded = await loadConfig(file, { env: shell.env, textOnly: options.textOnly === true })
  const { config, problems, sources } = loaded
  if (config !== undefined) return { ...loaded, config }
  const errors = problems.filter(({ severity }) => severity === 'error')
  if (options.json === true) shell.out(`${jsonText({ file, ok: false, problems: errors })}\n`)
  else shell.err(printProblems(errors, sources, { colour: shell.colour }) + `${file}: ${errors.length === 1 ? '1 error' : `${errors.length} errors`}\n`)
  return undefined
}
