export type AttributeValue = string | number | boolean | readonly string[]
export type Attributes = ReadonlyArray<readonly [key: string, value: AttributeValue]>

export interface SpanEvent {
  readonly name: string
  readonly atMs: number
  readonly attributes: Attributes
}

/** What is told of one part of a trace. Times are milliseconds since 1970, with fractions. */
export interface Span {
  readonly traceId: string
  readonly spanId: string
  /** "" = nobody called. */
  readonly parentSpanId: string
  readonly traceState: string
  readonly name: string
  readonly kind: 'server' | 'client' | 'internal'
  readonly startMs: number
  readonly endMs: number
  readonly attributes: Attributes
  readonly events: readonly SpanEvent[]
  /** Why it failed, in a word; `undefined` when it did not. */
  readonly error: string | undefined
}

/** Who the spans and figures are of. */
export interface Resource {
  readonly attributes: Attributes
  readonly version: string
}

/** Since 1970, exactly: as a number they would have no room. */
export function nanoseconds (ms: number): bigint {
  const whole = Math.floor(ms)
  return BigInt(whole) * 1_000_000n + BigInt(Math.round((ms - whole) * 1e6))
}
