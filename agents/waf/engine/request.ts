/**
 * What the engine looks at: a request as bytes, without any type of the SDK or of Node's HTTP.
 *
 * Strings are latin1, one char code per byte, so that broken UTF-8 reaches the decoders as it was sent.
 */
export interface InspectedRequest {
  readonly method: string
  /** Path as received, without the query. */
  readonly rawPath: string
  /** Path after RFC 3986 section 6.2.2 normalisation; what routes match on. */
  readonly path: string
  /** Query as received, without "?". */
  readonly query: string
  /** Field lines in wire order. */
  readonly headers: readonly (readonly [name: string, value: string])[]
}

/** Where a value was found. Rules name these as targets; a SecLang engine maps its variables onto the same words. */
export const targets = [
  'path', 'args', 'args-names', 'headers', 'user-agent', 'cookies', 'cookies-names', 'files', 'file-content', 'body', 'xml'
] as const

export type Target = typeof targets[number]

/** One inspected value, for instance `{ target: 'args', name: 'q', text: "1' or 1=1" }`. */
export interface Value {
  readonly target: Target
  /** Name within the target; may be client input, cut to 64 characters where it is shown. */
  readonly name: string
  readonly text: string
}

/** Receives what the collectors find. */
export interface Collector {
  /** Returns false when the bound on values is reached; the caller stops then. */
  value (target: Target, name: string, text: string): boolean
  /** Something about the form of the request; `check` is the id of a rule without a pattern. */
  anomaly (check: string): void
}
