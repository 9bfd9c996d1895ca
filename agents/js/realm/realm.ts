import { askingWords, posted, roomyPost, type Post } from './asking.ts'
import { base64Words } from './base64.ts'
import { contentIn, decisionWords, latin1Of, mustBeTold, sayable, type Content } from './decisions.ts'
import { describeThrown, shown, stackOf } from './errors.ts'
import { bodyView, headersView, messageView, queryView, requestView, responseView, type HeaderEdit } from './views.ts'

/** What the runner calls. Everything that crosses is a text or a number, in both directions. */
export interface Realm {
  /** Takes what the script exports. Gives the names of its handlers, as JSON. */
  register (exported: object): string
  /** One call: facts as JSON, the body as text and as bytes. Its answer is posted. */
  dispatch (facts: string, text: string, latin1: string): void
  /** The answer to something that was asked. */
  settle (text: string, content: string): void
  fire (timer: number): void
  /** The call is over: whatever it still waits for never comes. */
  end (): void
  /** What was thrown, as JSON. */
  describe (thrown: unknown): string
}

export interface Call {
  readonly hook: 'onRequest' | 'onRequestBody' | 'onResponse' | 'onResponseBody' | 'onWebSocketMessage'
  readonly request: Readonly<Record<string, unknown>> & { readonly headers: readonly string[] }
  readonly response?: Readonly<Record<string, unknown>> & { readonly headers: readonly string[] }
  /** Of a WebSocket; its content is the body. */
  readonly message?: Readonly<Record<string, unknown>>
  /** What earlier calls of the exchange left, as JSON. */
  readonly memory?: string
}

/** What a call came to. */
export interface Result {
  readonly decision: Readonly<Record<string, unknown>> | null
  /** The body that goes with it stands behind it: under which name, and what it is. */
  readonly content?: Content
  readonly request: readonly HeaderEdit[]
  readonly response: readonly HeaderEdit[]
  readonly memory?: string
  /** No more messages of this WebSocket. */
  readonly last?: true
}

/** The script's surroundings. `posting` has the numbers of `posted`; `boot` is JSON. */
export function realm (host: Post, file: string, boot: string, posting: typeof posted): Realm {
  const post = roomyPost(host)
  const { config, env } = JSON.parse(boot) as { config: unknown, env: Readonly<Record<string, string>> }
  const hooks = ['onRequest', 'onRequestBody', 'onResponse', 'onResponseBody', 'onWebSocketMessage'] as const
  const otherNames = {
    onRequest: 'on_request_headers', onRequestBody: 'on_request_body', onResponse: 'on_response_headers', onResponseBody: 'on_response_body',
    onWebSocketMessage: 'on_websocket_frame',
  } as const
  type Handler = (...args: unknown[]) => unknown
  const handlers = new Map<string, Handler>()
  const state = {}
  /** Counts calls: what an earlier one says late is not heard. */
  let running = 0
  const asking = askingWords(post, posting, () => running > 0)

  const line = (level: string) => (...args: unknown[]): void => { post(posting.log, JSON.stringify({ level, text: args.map(shown).join(' ').slice(0, 4000) })) }
  const console = { log: line('info'), info: line('info'), debug: line('debug'), trace: line('debug'), warn: line('warn'), error: line('error') }
  const words = {
    console, config, env, ...decisionWords(), ...base64Words(),
    ...asking.words((lines) => headersView(lines, [])),
  }
  // Node asks the global `Error` for it, each time.
  Object.defineProperty(Error, 'prepareStackTrace', { value: stackOf, writable: false, configurable: false })
  Object.defineProperty(globalThis, 'Error', { value: Error, writable: false, configurable: false })
  // What a registry calls runs between the calls, where nothing bounds its time.
  for (const name of ['WebAssembly', 'SharedArrayBuffer', 'Atomics', 'FinalizationRegistry']) Reflect.deleteProperty(globalThis, name)
  for (const [name, value] of Object.entries(words)) Object.defineProperty(globalThis, name, { value, writable: true, configurable: true })

  const handlerOf = (hook: typeof hooks[number], exported: Readonly<Record<string, unknown>>): unknown => {
    const whole = exported['default']
    const inWhole = typeof whole === 'object' && whole !== null ? whole : {}
    for (const place of [exported, inWhole, exported['$declared'], globalThis] as unknown as Record<string, unknown>[]) {
      const found = place[hook] ?? place[otherNames[hook]]
      if (found !== undefined) return place === inWhole && typeof found === 'function' ? found.bind(whole) as unknown : found
    }
    return undefined
  }

  const call = (facts: string, text: string, latin1: string): void => {
    const { hook, request: asked, response: answered, message: said, memory: kept } = JSON.parse(facts) as Call
    const mine = ++running
    const edits = { request: [] as HeaderEdit[], response: [] as HeaderEdit[] }
    const memory = kept === undefined ? {} : JSON.parse(kept) as object
    const request = requestView(asked, edits.request)
    const response = answered === undefined ? undefined : responseView(answered, asked['id'], edits.response)
    const body = hook.endsWith('Body') ? [bodyView(text, latin1, (answered ?? asked)['bodyTruncated'])] : []
    let last = false
    const message = said === undefined ? [] : [messageView(said, text, latin1, () => { last = true })]
    const context = { config, env, state, memory, log: console }

    const fail = (thrown: unknown): void => { if (mine === running) post(posting.failed, describeThrown(thrown, file)) }
    const finish = (outcome: unknown): void => {
      if (mine !== running) return
      try {
        const left = JSON.stringify(memory)
        const decision = sayable(outcome) as Result['decision']
        const content = contentIn(decision)
        const result: Result = {
          decision: content === undefined ? decision : { ...decision, [content.name]: undefined }, ...edits,
          ...content === undefined ? {} : { content: { name: content.name, form: content.form } },
          ...left === (kept ?? '{}') ? {} : { memory: left },
          ...last ? { last } : {},
        }
        post(posting.done, JSON.stringify(result), content?.text ?? '', content?.form === 'bytes' ? 'latin1' : 'utf8')
      } catch (error) {
        fail(error)
      }
    }
    try {
      const outcome = handlers.get(hook)!(...body, ...message, ...response === undefined ? [] : [response], request, context)
      const waits = typeof outcome === 'object' && outcome !== null && typeof (outcome as { then?: unknown }).then === 'function'
      if (waits) void Promise.resolve(outcome).then(finish, fail)
      else finish(outcome)
    } catch (error) {
      fail(error)
    }
  }

  return {
    register (exported) {
      for (const hook of hooks) {
        const handler = handlerOf(hook, exported as Record<string, unknown>)
        if (handler === undefined) continue
        if (typeof handler !== 'function') throw new TypeError(`${hook} is no function`)
        handlers.set(hook, handler as Handler)
      }
      return JSON.stringify([...handlers.keys()])
    },
    dispatch (facts, text, latin1) {
      try {
        call(facts, text, latin1)
      } catch (error) {
        post(posting.failed, describeThrown(error, file))
      }
    },
    settle: asking.settle,
    fire (timer) {
      try {
        asking.fire(timer)
      } catch (error) {
        post(posting.failed, describeThrown(error, file))
      }
    },
    end () {
      running++
      asking.forget()
    },
    describe: (thrown) => describeThrown(thrown, file),
  }
}

const parts = [
  decisionWords, latin1Of, sayable, mustBeTold, contentIn, headersView, queryView, requestView, responseView, bodyView, messageView, describeThrown, shown,
  stackOf, base64Words, roomyPost, askingWords, realm,
]

/** All of the above as one expression, whose value is `realm`. */
export const realmText = `(() => { 'use strict';
${parts.map(String).join('\n')}
return realm })()`
