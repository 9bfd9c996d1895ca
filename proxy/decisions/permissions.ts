import type { Decision } from '../../proto/codec/index.ts'
import { Fault } from '../pipeline/faults.ts'
import { fieldTest, nameTest } from './names.ts'

/** What an operator lets an agent change: the `may` block. In lists, `*` at the end of a name stands for any more of it. */
export interface PermissionSettings {
  readonly requestHeaders: readonly string[]
  readonly responseHeaders: readonly string[]
  readonly notHeaders: readonly string[]
  readonly rewrite: boolean
  readonly chooseUpstream: boolean
  readonly replaceBodies: boolean
  readonly attributes: readonly string[]
}

/** The same as questions. Where everything is allowed there are none. */
export interface Permissions {
  /** Throws AGENT_NOT_ALLOWED when any part of a decision is not: none of it is applied then. */
  readonly check: (decision: Decision) => void
  readonly checkAttributes: (attributes: ReadonlyMap<string, string>) => void
  readonly replaceBodies: boolean
}

export function permissionsOf (settings: PermissionSettings): Permissions {
  const { rewrite, chooseUpstream, replaceBodies } = settings
  const ofRequest = fieldTest(settings.requestHeaders)
  const ofResponse = fieldTest(settings.responseHeaders)
  const never = fieldTest(settings.notHeaders)
  const attribute = nameTest(settings.attributes)
  const checkAttributes = (attributes: ReadonlyMap<string, string>): void => {
    for (const name of attributes.keys()) if (!attribute(name)) throw notAllowed(`to attach the attribute ${shown(name)}`)
  }
  return {
    replaceBodies,
    checkAttributes,
    check (decision) {
      for (const { name } of decision.requestHeaders) if (never(name) || !ofRequest(name)) throw notAllowed(`to change the request field ${shown(name)}`)
      for (const { name } of decision.responseHeaders) if (never(name) || !ofResponse(name)) throw notAllowed(`to change the response field ${shown(name)}`)
      if (decision.kind === 'block') checkOwn(decision.value.headers, never)
      if (!rewrite && (decision.rewritePath !== undefined || decision.rewriteQuery !== undefined)) throw notAllowed('to change path or query')
      if (!chooseUpstream && decision.upstream !== '') throw notAllowed('to choose an upstream')
      if (!replaceBodies && decision.replaceBody !== undefined) throw notAllowed('to replace a body')
      checkAttributes(decision.attributes)
    },
  }
}

/** Field lines of an answer that the agent makes itself, as flat pairs. */
function checkOwn (lines: readonly string[], never: (name: string) => boolean): void {
  for (let i = 0; i < lines.length; i += 2) if (never(lines[i]!)) throw notAllowed(`to answer with the field ${shown(lines[i]!)}`)
}

export function notAllowed (what: string): Fault {
  return new Fault('AGENT_NOT_ALLOWED', `its may block does not allow it ${what}`)
}

function shown (name: string): string {
  return JSON.stringify(name.slice(0, 80))
}
