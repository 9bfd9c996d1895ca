import type { ReplyOneOf } from '../../proto/codec/index.ts'
import { decision, type RawAgent } from './raw-agent.ts'

/** A block with that status, which is its text as well; `rule` is what the audit says. */
export function block (status: number, rule = `r${status}`): ReplyOneOf {
  const audit = { ruleIds: [rule], tags: [], reason: '', severity: 'unspecified' as const, confidence: 0, redactions: [], details: new Map<string, string>() }
  return decision({ kind: 'block', value: { status, headers: [], body: Buffer.from(String(status)) } }, { audit })
}

/** Of a route: these agents at once. */
export function inParallel (...names: readonly string[]): { readonly route: string } {
  return { route: `filters { parallel { ${names.map((name) => `agent "${name}"`).join('; ')} } }; ` }
}

/** Why the agent was told to stop. */
export async function cancelOf (agent: RawAgent): Promise<string> {
  const event = await agent.seen(({ kind }) => kind === 'cancel')
  return event.kind === 'cancel' ? event.value.reason : ''
}
