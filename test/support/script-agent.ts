import { execFileSync } from 'node:child_process'
import type { TestContext } from 'node:test'
import { startRecordingUpstream, type RecordingUpstream } from './recording-upstream.ts'
import { siteWith } from './scripted-agent.ts'
import { startSentinel, type RunningSentinel } from './sentinel.ts'

export interface ScriptSite {
  /** Of the agent's `config` block. */
  readonly config?: string
  /** More lines of the agent's block. */
  readonly settings?: string
  /** Ending of the script's name. */
  readonly ending?: 'js' | 'mjs' | 'ts'
  readonly env?: Readonly<Record<string, string>>
  readonly files?: Readonly<Record<string, string>>
}

export interface RunningScript {
  readonly sentinel: RunningSentinel
  readonly upstream: RecordingUpstream
  readonly kdl: string
}

/** KDL of a site whose one agent runs `custom.js` (or another ending) beside the configuration. */
export function scriptSite (port: number, { config = '', settings = '', ending = 'js' }: ScriptSite = {}): string {
  return siteWith(port, `agent "custom" type="js" { script "custom.${ending}"\n timeout "20s"\n ${settings}\n config { ${/\btimeout "/.test(config) ? '' : 'timeout "20s"; '}${config} } }`, ['custom'])
}

/** The proxy with a script in front of an upstream that gives every body back. */
export async function startScript (t: TestContext, script: string, site: ScriptSite = {}): Promise<RunningScript> {
  const upstream = await startRecordingUpstream(t)
  const kdl = scriptSite(upstream.port, site)
  const sentinel = await startSentinel(t, kdl, { files: { [`custom.${site.ending ?? 'js'}`]: script, ...site.files }, ...site.env === undefined ? {} : { env: site.env } })
  return { sentinel, upstream, kdl }
}

/** The processes that the agent has started. */
export function workersOf (pid: number): number[] {
  try {
    return execFileSync('ps', ['--ppid', String(pid), '-o', 'pid='], { encoding: 'utf8' }).split('\n').filter((line) => line.trim() !== '').map(Number)
  } catch {
    return []
  }
}
