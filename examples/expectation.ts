/** What an example promises: one request and what comes of it. Every example folder has an `expected.ts` with a list of them, and CI sends them all. */
export interface Expectation {
  readonly path: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly status: number
  /** Of the answer; names in lower case. */
  readonly answerHeaders?: Readonly<Record<string, string>>
  /** What the application got; names in lower case. */
  readonly sentHeaders?: Readonly<Record<string, string>>
}
