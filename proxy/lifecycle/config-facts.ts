import { createHash } from 'node:crypto'
import type { Problem, SentinelConfig } from '../../config/sentinel/index.ts'
import { agentConfiguration } from './agent-identity.ts'
import { canonicalKey } from './leases.ts'

export function logLevel ({ observability: { logging: { level } } }: SentinelConfig): 'debug' | 'info' | 'warn' | 'error' {
  return level === 'trace' ? 'debug' : level === 'fatal' ? 'error' : level
}

/** A digest of what the configuration means: equal settings, equal version. */
export function versionOf (config: SentinelConfig): string {
  const agents = config.agents.map((agent) => agentConfiguration(agent).version)
  return createHash('sha256').update(canonicalKey('config', { ...config, agents })).digest('hex').slice(0, 12)
}

/** All errors in one line. */
export function summary (problems: readonly Problem[]): string {
  const errors = problems.filter(({ severity }) => severity === 'error')
  return errors.map(({ code, message, position: { file, line, column } }) => `${file}:${line}:${column}: ${code}: ${message}`).join('; ')
}
