import type { HeaderList } from '../../pipeline/headers.ts'

/** What a request says of the trace that it belongs to. */
export interface Caller {
  /** 32 hexadecimal digits in small letters, not all zero; `spanId` has 16. */
  readonly traceId: string
  readonly spanId: string
  /** `undefined`: it left the decision to us. */
  readonly sampled: boolean | undefined
}

/** Our own part of it, for whoever is asked next. */
export interface Carried {
  readonly traceId: string
  readonly spanId: string
  readonly sampled: boolean
}

/** One form of the header fields that carry a trace on. */
export interface Propagator {
  /** Whose trace it is; `undefined` when it says nothing that can be trusted to be meant. Fields of no use are removed. */
  readonly extract: (headers: HeaderList) => Caller | undefined
  readonly inject: (headers: HeaderList, carried: Carried) => void
}

const traceParent = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
const traceIdForm = /^(?:[0-9a-f]{16}|[0-9a-f]{32})$/
const spanIdForm = /^[0-9a-f]{16}$/
const nothing = /^0+$/

/**
 * W3C Trace Context level 1. Two of the fields, or one that is malformed, begin a new trace, and `tracestate` of another goes with it (section 3.2.2.5,
 * 3.3.1). A later version is read as far as version 00 goes (section 4.3); ours is always written as 00.
 */
const w3c: Propagator = {
  extract (headers) {
    const all = headers.getAll('traceparent')
    if (all.length === 0) {
      headers.remove('tracestate')
      return undefined
    }
    const [, version = '', traceId = '', spanId = '', flags = '', more] = all.length === 1 ? traceParent.exec(all[0]!) ?? [] : []
    const valid = traceId !== '' && version !== 'ff' && (version !== '00' || more === undefined) && !nothing.test(traceId) && !nothing.test(spanId)
    if (!valid) {
      headers.remove('tracestate')
      return undefined
    }
    if (!stateIsValid(headers.getAll('tracestate'))) headers.remove('tracestate')
    return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 }
  },
  inject: (headers, { traceId, spanId, sampled }) => headers.set('traceparent', `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`),
}

const member = /^(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/
const mostMembers = 32

/** At most 32 members, none twice (section 3.3.1). What is longer than anybody has to carry goes no further. */
function stateIsValid (lines: readonly string[]): boolean {
  const keys = new Set<string>()
  let count = 0
  for (const part of lines.join(',').split(',')) {
    const text = part.trim()
    if (text === '') continue
    if (++count > mostMembers || !member.test(text)) return false
    keys.add(text.slice(0, text.indexOf('=')))
  }
  return keys.size === count
}

/** B3 in one field: `{trace}-{span}[-{sampled}[-{parent}]]`, or the decision alone (https://github.com/openzipkin/b3-propagation). */
const b3: Propagator = {
  extract (headers) {
    const [traceId = '', spanId = '', sampled] = (headers.get('b3') ?? '').split('-')
    return fromB3(traceId, spanId, sampled)
  },
  inject: (headers, { traceId, spanId, sampled }) => headers.set('b3', `${traceId}-${spanId}-${sampled ? '1' : '0'}`),
}

const b3Multi: Propagator = {
  extract (headers) {
    const debug = headers.get('x-b3-flags') === '1' ? '1' : undefined
    return fromB3(headers.get('x-b3-traceid') ?? '', headers.get('x-b3-spanid') ?? '', debug ?? headers.get('x-b3-sampled'))
  },
  inject (headers, { traceId, spanId, sampled }) {
    headers.set('X-B3-TraceId', traceId)
    headers.set('X-B3-SpanId', spanId)
    headers.set('X-B3-Sampled', sampled ? '1' : '0')
    headers.remove('x-b3-parentspanid')
    headers.remove('x-b3-flags')
  },
}

function fromB3 (trace: string, span: string, sampled: string | undefined): Caller | undefined {
  const traceId = trace.toLowerCase()
  const spanId = span.toLowerCase()
  if (!traceIdForm.test(traceId) || !spanIdForm.test(spanId) || nothing.test(traceId) || nothing.test(spanId)) return undefined
  const says = sampled === undefined ? undefined : ['1', 'd', 'true'].includes(sampled.toLowerCase())
  return { traceId: traceId.padStart(32, '0'), spanId, sampled: says }
}

/** `{trace}:{span}:{parent}:{flags}`, digits without zeros in front (https://www.jaegertracing.io/docs/1.76/client-libraries/#propagation-format). */
const jaeger: Propagator = {
  extract (headers) {
    const form = /^([0-9a-f]{1,32})(?::|%3a)([0-9a-f]{1,16})(?::|%3a)[0-9a-f]{0,16}(?::|%3a)([0-9a-f]{1,2})$/i
    const [, trace = '', span = '', flags = ''] = form.exec(headers.get('uber-trace-id') ?? '') ?? []
    if (trace === '' || nothing.test(trace) || nothing.test(span)) return undefined
    return { traceId: trace.toLowerCase().padStart(32, '0'), spanId: span.toLowerCase().padStart(16, '0'), sampled: (Number.parseInt(flags, 16) & 1) === 1 }
  },
  inject: (headers, { traceId, spanId, sampled }) => headers.set('uber-trace-id', `${traceId}:${spanId}:0:${sampled ? '1' : '0'}`),
}

export const propagators = { w3c, b3, b3multi: b3Multi, jaeger } as const satisfies Readonly<Record<string, Propagator>>

export type Propagation = keyof typeof propagators

/** Several forms: the first that says something counts, and all are written. */
export function propagatorOf (forms: readonly Propagation[]): Propagator {
  const [only, ...others] = forms.map((form) => propagators[form])
  if (only !== undefined && others.length === 0) return only
  const all: readonly Propagator[] = forms.map((form) => propagators[form])
  return {
    extract: (headers) => all.map((one) => one.extract(headers)).find((caller) => caller !== undefined),
    inject: (headers, carried) => { for (const one of all) one.inject(headers, carried) },
  }
}
