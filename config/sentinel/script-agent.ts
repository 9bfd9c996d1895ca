import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Position } from '../kdl/position.ts'
import type { Report } from '../schema/report.ts'

/** The program text of an agent. */
export interface AgentScript {
  readonly file: string
  /** Of its content when the configuration was read, so that a reload sees that it is another one. */
  readonly digest: string
  readonly at: Position
}

export function scriptOf (file: string, at: Position): AgentScript {
  return { file, digest: digestOf(file), at }
}

/** A text alone may be judged where its files are not. */
function digestOf (file: string): string {
  try {
    return createHash('sha256').update(readFileSync(file)).digest('hex').slice(0, 16)
  } catch {
    return ''
  }
}

interface Scripted {
  readonly script: string | undefined
  readonly command: readonly string[]
  readonly managed: boolean | undefined
}

interface Surroundings {
  readonly report: Report
  readonly scope: string
  readonly at: Position
  where (name: 'script' | 'type'): Position
  given (name: 'script' | 'type'): boolean
}

export function checkScript (type: string, { script, command, managed }: Scripted, here: Surroundings): void {
  if (script === undefined) {
    // One that cannot be read was told already.
    if (here.given('script') || type !== 'js' || command.length > 0 || managed === false) return
    here.report.error('CONFIG_MISSING', `${here.scope} needs 'script': the file with what it runs`, here.given('type') ? here.where('type') : here.at, 'write script "custom.js", or managed #false when somebody else runs it')
    return
  }
  const at = here.where('script')
  if (type !== 'js') here.report.error('CONFIG_CONTRADICTION', `${here.scope} is of type '${type}', and only one of type 'js' runs a script`, at, 'write type="js", or leave out the script')
  else if (command.length > 0) here.report.error('CONFIG_CONTRADICTION', `${here.scope} has a command and a script: nothing says which of them decides`, at, 'leave out one of them')
  else if (managed === false) here.report.error('CONFIG_CONTRADICTION', `${here.scope} has a script, but 'managed' says that somebody else runs it`, at, 'leave out one of them')
  if (!/\.m?[jt]s$/i.test(script)) here.report.error('CONFIG_TYPE', `a script ends in .js, .mjs, .ts or .mts`, at)
}
