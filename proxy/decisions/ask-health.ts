import { agentService, type DescribeResponse } from '../../proto/codec/index.ts'
import { Fault } from '../pipeline/faults.ts'
import { describeAgent, Incompatible } from './handshake.ts'
import { watchHealth } from './health-watch.ts'
import { AgentSession, whyOf } from './session.ts'
import { withDefaults, type AgentTarget, type AgentOptions } from './settings.ts'

/** What somebody who connects for a moment learns of an agent. */
export type AgentHealth =
  | { readonly state: 'serving' | 'not-serving', readonly describe: DescribeResponse }
  | { readonly state: 'incompatible', readonly why: string }
  /** Somebody listens who is no agent, or does not answer in time. */
  | { readonly state: 'no-answer', readonly why: string }
  /** `code` is that of the system: ENOENT, ECONNREFUSED, … */
  | { readonly state: 'unreachable', readonly code: string }

/** Connects, asks who is there and how it feels, and goes away. Nothing is configured. Never rejects. */
export async function askWhetherWell (options: Pick<AgentOptions, 'id' | 'events'> & { readonly target: AgentTarget }, timeoutMs: number): Promise<AgentHealth> {
  const settings = withDefaults({ ...options, config: { json: '{}', version: '' }, connectTimeoutMs: timeoutMs })
  let lost = (_health: AgentHealth): void => {}
  const over = new Promise<AgentHealth>((resolve) => { lost = resolve })
  const session = new AgentSession(options.target, {
    onConnect () {},
    onHeard () {},
    onGoAway () {},
    onClosed (error) {
      if (error?.code !== undefined) lost({ state: 'unreachable', code: error.code })
      else lost({ state: 'no-answer', why: error === undefined ? 'the connection was closed' : whyOf(error) })
    },
  })
  const timer = setTimeout(() => lost({ state: 'no-answer', why: `no answer in ${timeoutMs} ms` }), timeoutMs)
  try {
    return await Promise.race([over, talk()])
  } finally {
    clearTimeout(timer)
    session.end()
  }

  async function talk (): Promise<AgentHealth> {
    try {
      const describe = await describeAgent(session, settings)
      const serving = await new Promise<boolean>((resolve) => watchHealth(session, agentService.name, resolve))
      return { state: serving ? 'serving' : 'not-serving', describe }
    } catch (error) {
      if (error instanceof Incompatible) return { state: 'incompatible', why: error.message }
      // A connection that never was breaks the call as well: its own error says more, and comes right after.
      if (session.connecting || session.leaving) return over
      return { state: 'no-answer', why: error instanceof Fault ? error.detail ?? error.code : String(error) }
    }
  }
}
