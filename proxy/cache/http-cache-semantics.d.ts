/** What is used of it. */
declare module 'http-cache-semantics' {
  export default class CachePolicy {
    constructor (
      request: { readonly method: string, readonly headers: Readonly<Record<string, string>> },
      response: { readonly status: number, readonly headers: Readonly<Record<string, string>> },
    )
    /** Seconds that the answer is fresh for, from its Date on. */
    maxAge (): number
  }
}
