/** What an example promises: one request and what comes of it. Every example folder has an `expected.ts` with a list of them, and CI sends them all. */
export interface Expectation {
  readonly path: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly status: number
  /** Of the answer; names in lower case. */
  readonly answerHeaders?: Readonly<Record<string, string>>
  /** Of the body of the answer. */
  readonly answerPart?: string
  /** What the application got; names in lower case. Only in examples that name no `applications`. */
  readonly sentHeaders?: Readonly<Record<string, string>>
}

/** Applications behind an example by their names, with the ports that its configuration has for them: each is `application.mjs` in a process of its own. */
export type Applications = Readonly<Record<string, number>>

export interface Answer {
  readonly status: number
  readonly text: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

/** The example, running. */
export interface Running {
  /** Asks the proxy, over TLS where the example speaks it. */
  readonly get: (path: string, host?: string) => Promise<Answer>
  /** Opens a WebSocket, says one thing after the other, and gives the first that comes back. */
  readonly say: (host: string, ...texts: readonly string[]) => Promise<string>
  /** Ends an application the way a crash does. */
  readonly kill: (application: string) => Promise<void>
  readonly start: (application: string) => Promise<void>
}

/** What takes more than one request to show. `holds` rejects when it does not. */
export interface Feature {
  readonly promise: string
  readonly holds: (running: Running) => Promise<void>
}
