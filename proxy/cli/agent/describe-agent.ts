import { execFile } from 'node:child_process'
import { packageFile } from '../../lifecycle/package-file.ts'
import type { FoundAgent } from './find-agent.ts'

/** A JSON schema as agents describe their settings with: the part that is looked at. */
export interface SettingSchema {
  readonly description?: string
  readonly type?: string | readonly string[]
  readonly default?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly SettingSchema[]
  readonly properties?: Readonly<Record<string, SettingSchema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | SettingSchema
  readonly deprecated?: boolean
  readonly $ref?: string
  readonly $defs?: Readonly<Record<string, SettingSchema>>
}

export interface AgentDescription {
  readonly name: string
  readonly events: readonly string[]
  readonly configSchema: SettingSchema
}

const timeoutMs = 20_000

/** Node and its arguments: what runs an agent of this installation. */
export function agentProgram ({ file }: FoundAgent): string[] {
  return [process.execPath, packageFile('dist', 'sdk', 'run', 'main.js'), file]
}

/** What the agent of a file says of itself. A sentence when it cannot be asked. */
export function describeAgent (agent: FoundAgent, env: Readonly<Record<string, string | undefined>>): Promise<AgentDescription | string> {
  const [node = '', ...args] = agentProgram(agent)
  return new Promise((resolve) => {
    execFile(node, [...args, '--describe'], { cwd: agent.folder, env: { ...env }, timeout: timeoutMs, maxBuffer: 16 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error !== null) return resolve(stderr.trim() === '' ? `${agent.file} cannot be asked: ${error.message}` : stderr.trim())
      try {
        // What it prints beside, on its own, stands before.
        resolve(JSON.parse(stdout.slice(Math.max(0, stdout.lastIndexOf('\n{\n') + 1))) as AgentDescription)
      } catch {
        resolve(`${agent.file} does not describe itself: --describe printed something else.`)
      }
    })
  })
}
