import type { Decision, Event, HeaderEdit, Reply } from '../../proto/codec/index.ts'
import type { Decided } from '../../proto/workbench.ts'

/** Looks on while a stream works. */
export interface StreamWatch {
  received (event: Event): void
  replied (reply: Reply): void
}

/** An exchange as far as its decisions are told. */
interface Open {
  readonly method: string
  readonly path: string
  /** By the number of the event: what it was about, and when it came. */
  readonly asked: Map<number, { readonly about: string, readonly atMs: number }>
}

const abouts: Partial<Record<NonNullable<Event['kind']>, string>> = {
  request_headers: 'request', request_body: 'request body', response_headers: 'response', response_body: 'response body',
}

/** Tells every answer of a stream. Pieces of a body that pass as they are, and those that only wait, are not worth a line. */
export function tellDecisions (tell: (decided: Decided) => void): StreamWatch {
  const open = new Map<number, Open>()
  return {
    received (event) {
      if (event.kind === 'request_headers') {
        const { method, path, query } = event.value
        open.set(event.exchange, { method, path: query === '' ? path : `${path}?${query}`, asked: new Map() })
      }
      const exchange = open.get(event.exchange)
      if (event.kind === 'complete') open.delete(event.exchange)
      else if (event.timeoutMs > 0) exchange?.asked.set(event.sequence, { about: aboutOf(event), atMs: performance.now() })
    },
    replied (reply) {
      const exchange = open.get(reply.exchange)
      const told = toldOf(reply)
      if (exchange === undefined || told === undefined) return
      const asked = exchange.asked.get(reply.sequence)
      exchange.asked.delete(reply.sequence)
      // Nothing more is said of an exchange that the agent is done with.
      if (reply.kind === 'decision' && reply.value.wants?.done === true) open.delete(reply.exchange)
      if (told === 'nothing') return
      const { method, path } = exchange
      tell({ method, path, about: asked?.about ?? '', ms: asked === undefined ? 0 : performance.now() - asked.atMs, ...told })
    },
  }
}

function aboutOf ({ kind }: Event): string {
  return kind === undefined ? 'an event of an unknown kind' : abouts[kind] ?? kind.replaceAll('_', ' ')
}

type Told = Pick<Decided, 'decision' | 'status' | 'reason' | 'edits'>

/** "nothing" for an answer that goes without saying; `undefined` for what is no answer. */
function toldOf (reply: Reply): Told | 'nothing' | undefined {
  switch (reply.kind) {
    case 'decision': return { ...outcomeOf(reply.value), reason: reply.value.audit?.reason ?? '', edits: editsOf(reply.value) }
    case 'error': return { decision: 'error', status: 0, reason: `${reply.value.code}: ${reply.value.message}`, edits: [] }
    case 'chunk': {
      const { kind } = reply.value
      return kind === 'replace' || kind === 'drop' ? { decision: 'chunk', status: 0, reason: '', edits: [kind === 'drop' ? 'dropped' : 'replaced'] } : 'nothing'
    }
    default: return undefined
  }
}

function outcomeOf (decision: Decision): Pick<Decided, 'decision' | 'status'> {
  switch (decision.kind) {
    case 'block': case 'redirect': return { decision: decision.kind, status: decision.value.status }
    case 'challenge': return { decision: 'challenge', status: 401 }
    default: return { decision: decision.kind ?? 'unknown', status: 0 }
  }
}

function editsOf (decision: Decision): string[] {
  const { requestHeaders, responseHeaders, replaceBody, rewritePath, rewriteQuery, upstream, attributes } = decision
  return [
    ...requestHeaders.map((edit) => `→ ${headerText(edit)}`),
    ...responseHeaders.map((edit) => `← ${headerText(edit)}`),
    ...rewritePath === undefined ? [] : [`path ${rewritePath}`],
    ...rewriteQuery === undefined ? [] : [`query ${rewriteQuery === '' ? 'removed' : rewriteQuery}`],
    ...replaceBody === undefined ? [] : [`body replaced (${replaceBody.length} bytes)`],
    ...upstream === '' ? [] : [`upstream ${upstream}`],
    ...[...attributes].map(([name, value]) => value === '' ? `attribute ${name} removed` : `attribute ${name}=${value}`),
  ]
}

function headerText ({ action, name, value }: HeaderEdit): string {
  if (action === 'remove') return `${name} removed`
  return action === 'append' ? `${name} += ${value}` : `${name}: ${value}`
}
