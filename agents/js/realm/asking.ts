/** The only way out of the realm. Texts and numbers go, nothing comes back. `form` says how `content` is to be written as bytes. */
export type Post = (kind: number, text: string, content?: string, form?: 'utf8' | 'latin1') => void

/** Kinds of what is posted. */
export const posted = { done: 2, log: 3, ask: 4, failed: 5, timer: 6 } as const

/**
 * The host with room for it on the stack: one that is full where its own code runs would leave it in the middle of something, and its error
 * would be one of another realm.
 */
export function roomyPost (post: Post): Post {
  const descend = (frames: number, a: number, b: number, c: number, d: number, e: number, f: number): number =>
    frames === 0 ? a : descend(frames - 1, b, c, d, e, f, a) + 1
  return (kind, text, content, form) => {
    descend(100, 0, 0, 0, 0, 0, 0)
    try {
      post(kind, text, content, form)
    } catch {
      throw new RangeError('there is no room on the stack')
    }
  }
}

/**
 * Things that only the agent can do, which answers later; and timers. All of them end with the call that wanted them, so there are none while
 * the script is being loaded.
 */
export function askingWords (post: Post, kinds: { readonly ask: number, readonly timer: number }, isCalled: () => boolean) {
  const mostWaiting = 64
  const mostChars = 8 * 1024 * 1024
  /** Of what is longer Node would make a millisecond. */
  const longestTimerMs = 2 ** 31 - 1
  /** `failure` was made where it was asked for: so it tells that place, whatever it comes to say. */
  type Settlers = { readonly resolve: (value: never) => void, readonly reject: (error: Error) => void, readonly failure: Error }
  const asked = new Map<number, Settlers>()
  const timers = new Map<number, () => void>()
  let last = 0
  const ask = (op: string, args: readonly unknown[]): Promise<unknown> => new Promise((resolve, reject) => {
    if (!isCalled()) throw new Error('store, readFile and fetch are for functions that are called, not for the first run of the script')
    if (asked.size >= mostWaiting) throw new RangeError(`${mostWaiting} answers are awaited already`)
    const text = JSON.stringify({ id: ++last, op, args })
    if (text.length > mostChars) throw new RangeError(`what is asked for is longer than ${mostChars / 1024 / 1024} MiB`)
    asked.set(last, { resolve, reject, failure: new Error('refused') })
    post(kinds.ask, text)
  })
  const answerOf = (value: { status: number, headers: readonly string[], body: string }, views: (lines: readonly string[]) => object): object => ({
    status: value.status,
    ok: value.status >= 200 && value.status < 300,
    headers: views(value.headers),
    text: async () => value.body,
    json: async () => JSON.parse(value.body) as unknown,
  })
  return {
    forget () {
      asked.clear()
      timers.clear()
    },
    /** `content`: of a file, or the body of an answer. */
    settle (text: string, content: string) {
      const { id, error, value, hasContent } = JSON.parse(text) as { id: number, error?: string, value?: object, hasContent: boolean }
      const waiting = asked.get(id)
      asked.delete(id)
      if (error === undefined) waiting?.resolve((!hasContent ? value : value === undefined ? content : { ...value, body: content }) as never)
      else if (waiting !== undefined) waiting.reject(Object.defineProperty(waiting.failure, 'message', { value: error, writable: true, configurable: true }))
    },
    fire (id: number) {
      const wanted = timers.get(id)
      timers.delete(id)
      wanted?.()
    },
    words: (views: (lines: readonly string[]) => object) => ({
      store: {
        get: (key: unknown) => ask('store.get', [key]),
        set: (key: unknown, value: unknown, options?: unknown) => ask('store.set', [key, value, options ?? {}]),
        increment: (key: unknown, options?: unknown) => ask('store.increment', [key, options ?? {}]),
        delete: (key: unknown) => ask('store.delete', [key]),
      },
      readFile: (path: unknown) => ask('readFile', [String(path)]),
      fetch: async (url: unknown, init?: unknown) => answerOf(await ask('fetch', [String(url), init ?? {}]) as never, views),
      setTimeout (wanted: (...args: unknown[]) => void, ms?: unknown, ...args: unknown[]): number {
        if (!isCalled()) throw new Error('setTimeout is for functions that are called, not for the first run of the script')
        if (typeof wanted !== 'function') throw new TypeError('setTimeout takes a function')
        if (timers.size >= mostWaiting) throw new RangeError(`${mostWaiting} timers run already`)
        timers.set(++last, () => wanted(...args))
        post(kinds.timer, `${last} ${Math.min(longestTimerMs, Math.max(0, Number(ms) || 0))}`)
        return last
      },
      clearTimeout (id: unknown): void {
        timers.delete(Number(id))
      },
    }),
  }
}
