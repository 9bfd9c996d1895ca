import type { Audit, Decision, HeaderEdit, Reply } from '../../proto/codec/index.ts'
import { emptyAudit } from '../../proto/codec/index.ts'

/** What came of a phase of an exchange, put so that a test can compare it. */
export interface Verdict {
  /** "error" when the agent failed: then the operator's failure mode would decide. */
  readonly kind: 'allow' | 'flag' | 'review' | 'block' | 'redirect' | 'challenge' | 'redact' | 'error'
  /** Status of a block or redirect, 401 for a challenge, 0 otherwise. */
  readonly status: number
  /** Headers the client would get with a block, names in lower case; several of one name are joined with ", ". */
  readonly headers: Readonly<Record<string, string>>
  /** Body the client would get. */
  readonly body: string
  /** Where a redirect leads; empty otherwise. */
  readonly location: string
  /** Scheme of a challenge; empty otherwise. */
  readonly scheme: string
  /** Parameters of a challenge. */
  readonly params: Readonly<Record<string, string>>
  /** Ticket of a review; empty otherwise. */
  readonly ticket: string
  /** What the agent says of its failure. */
  readonly error: { readonly code: string, readonly message: string, readonly retryable: boolean } | undefined
  /** Changes of the request on its way to the upstream, in order. */
  readonly requestHeaders: readonly HeaderEdit[]
  /** Changes of the response on its way to the client, in order. */
  readonly responseHeaders: readonly HeaderEdit[]
  /** Facts it stated; an empty value removes one. */
  readonly attributes: Readonly<Record<string, string>>
  /** Facts for log and evidence. */
  readonly audit: Audit
  /** Another path for the upstream. */
  readonly rewritePath: string | undefined
  /** Another query for the upstream. */
  readonly rewriteQuery: string | undefined
  /** Another upstream; empty when the agent did not choose. */
  readonly upstream: string
  /** The body as it would go on: unchanged, replaced, or what the chunk answers let through. Undefined when the agent was not shown it. */
  readonly passedBody: string | undefined
}

/** All replies of one phase, in order: what the last one decides, with what each of them brought. */
export function verdictOf (replies: readonly Reply[], passedBody: Buffer | undefined): Verdict {
  const last = replies.findLast((reply) => reply.kind === 'error' || reply.kind === 'decision')
  const decisions = replies.flatMap((reply) => reply.kind === 'decision' ? [reply.value] : [])
  const decision = last?.kind === 'decision' ? last.value : undefined
  const replaced = decisions.findLast((d) => d.replaceBody !== undefined)?.replaceBody
  return {
    ...outcomeOf(decision),
    ...(last?.kind === 'error' ? { kind: 'error' as const } : {}),
    error: last?.kind === 'error' ? last.value : undefined,
    requestHeaders: decisions.flatMap((d) => d.requestHeaders),
    responseHeaders: decisions.flatMap((d) => d.responseHeaders),
    attributes: Object.fromEntries(decisions.flatMap((d) => [...d.attributes])),
    audit: decisions.findLast((d) => d.audit !== undefined)?.audit ?? emptyAudit,
    rewritePath: decisions.findLast((d) => d.rewritePath !== undefined)?.rewritePath,
    rewriteQuery: decisions.findLast((d) => d.rewriteQuery !== undefined)?.rewriteQuery,
    upstream: decision?.upstream ?? '',
    passedBody: (replaced ?? passedBody)?.toString(),
  }
}

type Outcome = Pick<Verdict, 'kind' | 'status' | 'headers' | 'body' | 'location' | 'scheme' | 'params' | 'ticket'>

const goesOn: Outcome = { kind: 'allow', status: 0, headers: {}, body: '', location: '', scheme: '', params: {}, ticket: '' }

function outcomeOf (decision: Decision | undefined): Outcome {
  if (decision === undefined) return goesOn
  switch (decision.kind) {
    case 'block': {
      const { status, headers, body } = decision.value
      return { ...goesOn, kind: 'block', status: status === 0 ? 403 : status, headers: recordOf(headers), body: body.toString() }
    }
    case 'redirect': return { ...goesOn, kind: 'redirect', ...decision.value }
    case 'challenge': {
      const { scheme, params, body } = decision.value
      return { ...goesOn, kind: 'challenge', status: 401, scheme, params: Object.fromEntries(params), body: body.toString() }
    }
    case 'review': return { ...goesOn, kind: 'review', ticket: decision.value.ticket }
    case undefined: return goesOn
    default: return { ...goesOn, kind: decision.kind }
  }
}

function recordOf (lines: readonly string[]): Record<string, string> {
  const record: Record<string, string> = {}
  for (let i = 0; i < lines.length; i += 2) {
    const name = lines[i]!.toLowerCase()
    record[name] = record[name] === undefined ? lines[i + 1]! : `${record[name]}, ${lines[i + 1]!}`
  }
  return record
}
