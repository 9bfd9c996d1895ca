import type { DecisionRecord, Exchange, Recording, Trace, TryRecording } from '../../pipeline/exchange.ts'
import { Fault } from '../../pipeline/faults.ts'
import { agentAttributes, serverAttributes, serverError, serverName, methodWord, tryAttributes } from './attributes.ts'
import type { Caller, Propagator } from './context.ts'
import { newSpanId } from './ids.ts'
import type { Attributes, AttributeValue, Span, SpanEvent } from './span.ts'

/** Of one exchange: an agent may be asked about each piece of a body without end. */
export const mostSpans = 128

/** One exchange that is sampled, and its spans as they become known. */
export class ExchangeTrace implements Trace, Recording {
  readonly sampled = true
  readonly recording = this
  readonly traceId: string
  readonly spanId = newSpanId()
  readonly #parent: Caller | undefined
  readonly #propagator: Propagator
  readonly #traceState: string
  /** From the monotonic clock to that of the world. */
  readonly #originMs = Date.now() - performance.now()
  readonly #spans: Span[] = []
  readonly #open = new Set<TrySpan>()
  /** When a connection to a target was first wanted. */
  readonly #askedMs = new Map<string, number>()
  #left = 0

  constructor (traceId: string, parent: Caller | undefined, traceState: string, propagator: Propagator) {
    this.traceId = traceId
    this.#parent = parent
    this.#traceState = traceState
    this.#propagator = propagator
  }

  decided (record: DecisionRecord): void {
    const nowMs = performance.now()
    this.#add({
      spanId: newSpanId(), name: `agent ${record.agent} ${record.phase}`, kind: 'client', startMs: nowMs - record.durationMs, endMs: nowMs,
      attributes: agentAttributes(record), events: [], error: record.fault?.code,
    })
  }

  stepBegins (filter: string, phase: 'request' | 'response'): ReturnType<Recording['stepBegins']> {
    const startMs = performance.now()
    return (outcome) => {
      const error = outcome instanceof Error ? codeOf(outcome) : undefined
      const what: Attributes = [['sentinel.filter', filter], ['sentinel.phase', phase], ['sentinel.outcome', error === undefined ? String(outcome) : 'failed']]
      this.#add({
        spanId: newSpanId(), name: `filter ${filter}`, kind: 'internal', startMs, endMs: performance.now(), events: [], error,
        attributes: error === undefined ? what : [...what, ['error.type', error]],
      })
    }
  }

  asks (target: string): void {
    this.#askedMs.set(target, performance.now())
  }

  tryBegins (x: Exchange, target: string): TryRecording {
    const nowMs = performance.now()
    const spanId = newSpanId()
    this.#propagator.inject(x.request.headers, { traceId: this.traceId, spanId, sampled: true })
    const span = new TrySpan(x, spanId, target, this.#asked(target), nowMs, (over) => {
      this.#open.delete(over)
      this.#add(over.told)
    })
    this.#open.add(span)
    return span
  }

  notAsked (target: string, error: unknown): void {
    const code = error instanceof Error ? codeOf(error) : 'INTERNAL'
    const nowMs = performance.now()
    this.#add({
      spanId: newSpanId(), name: 'connect', kind: 'client', startMs: this.#asked(target), endMs: nowMs, events: [], error: code,
      attributes: [['sentinel.target', target], ['error.type', code]],
    })
  }

  /** All of it; nothing is added any more. */
  finish (x: Exchange): readonly Span[] {
    // A try that nobody waited for may not be over yet.
    for (const span of this.#open) span.over()
    const attributes = serverAttributes(x)
    this.#spans.push(this.#whole({
      spanId: this.spanId, name: serverName(x), kind: 'server', startMs: x.startedMs, endMs: x.startedMs + x.durationMs, events: serverEvents(x), error: serverError(x),
      attributes: this.#left === 0 ? attributes : [...attributes, ['sentinel.spans_left_out', this.#left]],
    }, this.#parent?.spanId ?? ''))
    return this.#spans
  }

  /** A question whose answer came when the exchange was over (shadow mode). */
  late (record: DecisionRecord): readonly Span[] {
    this.#spans.length = 0
    this.#left = 0
    this.decided(record)
    return this.#spans.slice()
  }

  #asked (target: string): number {
    const askedMs = this.#askedMs.get(target) ?? performance.now()
    this.#askedMs.delete(target)
    return askedMs
  }

  #add (span: Told): void {
    if (this.#spans.length >= mostSpans - 1) this.#left++
    else this.#spans.push(this.#whole(span, this.spanId))
  }

  /** Member by member: copied as a whole, a span cost five times as much. */
  #whole ({ spanId, name, kind, startMs, endMs, attributes, events, error }: Told, parentSpanId: string): Span {
    const origin = this.#originMs
    return {
      traceId: this.traceId, spanId, parentSpanId, traceState: this.#traceState, name, kind,
      startMs: origin + startMs, endMs: origin + Math.max(startMs, endMs), error, attributes,
      events: events.map((event) => ({ name: event.name, atMs: origin + event.atMs, attributes: event.attributes })),
    }
  }
}

/** As one part knows it: in monotonic time, and without those it belongs to. */
type Told = Omit<Span, 'traceId' | 'parentSpanId' | 'traceState'>

class TrySpan implements TryRecording {
  readonly #x: Exchange
  readonly #spanId: string
  readonly #name: string
  readonly #askedMs: number
  readonly #startMs: number
  readonly #attributes: Array<readonly [string, AttributeValue]>
  readonly #events: SpanEvent[] = []
  readonly #tell: (span: TrySpan) => void
  #error: string | undefined = undefined
  #endMs = 0

  constructor (x: Exchange, spanId: string, target: string, askedMs: number, startMs: number, tell: (span: TrySpan) => void) {
    this.#x = x
    this.#spanId = spanId
    this.#name = `${methodWord(x.request)} ${x.upstream}`
    this.#askedMs = askedMs
    this.#startMs = startMs
    this.#attributes = tryAttributes(x, target)
    this.#tell = tell
  }

  get told (): Told {
    return {
      spanId: this.#spanId, name: this.#name, kind: 'client', startMs: this.#askedMs, endMs: this.#endMs, attributes: this.#attributes, events: this.#events,
      error: this.#error,
    }
  }

  answered (status: number, ms: number): void {
    this.#tellConnecting()
    this.#events.push({ name: 'first_byte', atMs: this.#startMs + ms, attributes: [] })
    this.#attributes.push(['http.response.status_code', status])
    if (status >= 400) this.#fails(String(status))
  }

  failed (fault: Fault | undefined, ms: number): void {
    // All of the time was the connecting: it came to nothing.
    if (this.#x.connectMs !== ms) this.#tellConnecting()
    this.#ends(fault)
  }

  broke (_status: number, fault: Fault): void {
    this.#ends(fault)
  }

  tunnelled (): void {
    this.#events.push({ name: 'tunnel', atMs: performance.now(), attributes: [] })
  }

  over (): void {
    if (this.#endMs > 0) return
    this.#endMs = performance.now()
    this.#tell(this)
  }

  /** Where the time before the request went. On a connection that was there, none did. */
  #tellConnecting (): void {
    const { poolMs, connectMs, tlsMs } = this.#x
    if (poolMs > 0) this.#attributes.push(['sentinel.pool_ms', poolMs])
    if (connectMs === 0) return
    const attributes: Attributes = tlsMs === 0 ? [['sentinel.connect_ms', connectMs]] : [['sentinel.connect_ms', connectMs], ['sentinel.tls_ms', tlsMs]]
    this.#events.push({ name: 'connected', atMs: this.#askedMs + poolMs + connectMs + tlsMs, attributes })
  }

  /** Given up, because the client left or another target answered, is no fault of this one. */
  #ends (fault: Fault | undefined): void {
    if (fault === undefined || fault.row.blame === 'client') this.#attributes.push(['sentinel.outcome', 'given up'])
    else this.#fails(fault.code)
  }

  #fails (why: string): void {
    if (this.#error === undefined) this.#attributes.push(['error.type', why])
    this.#error ??= why
  }
}

/** Where the time of the whole went that no span below tells of. */
function serverEvents ({ startedMs, queuedMs, firstByteMs }: Exchange): SpanEvent[] {
  return [
    ...queuedMs === 0 ? [] : [{ name: 'admitted', atMs: startedMs + queuedMs, attributes: [['sentinel.queued_ms', queuedMs]] as const }],
    ...firstByteMs === 0 ? [] : [{ name: 'first_byte', atMs: startedMs + firstByteMs, attributes: [] }],
  ]
}

function codeOf (error: Error): string {
  return error instanceof Fault ? error.code : error.name
}
