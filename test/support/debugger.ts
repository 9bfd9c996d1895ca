import { once } from 'node:events'
import type { TestContext } from 'node:test'
import { WebSocket } from 'ws'

/** A debugger, as an editor has one (Chrome DevTools Protocol). */
export interface Debugger {
  readonly ask: (method: string, params?: object) => Promise<Readonly<Record<string, unknown>>>
  /** Resolves with the next event of that name since the last call. */
  readonly next: (method: string) => Promise<Readonly<Record<string, unknown>>>
  readonly close: () => void
}

interface Said {
  readonly id?: number
  readonly method?: string
  readonly params?: Readonly<Record<string, unknown>>
  readonly result?: Readonly<Record<string, unknown>>
  readonly error?: { readonly message: string }
}

export async function attachDebugger (t: TestContext, url: string): Promise<Debugger> {
  const socket = new WebSocket(url)
  t.after(() => socket.terminate())
  await once(socket, 'open')
  const answers = new Map<number, (said: Said) => void>()
  const events: Said[] = []
  let look = (): void => {}
  let last = 0
  socket.on('message', (data: Buffer) => {
    const said = JSON.parse(data.toString('utf8')) as Said // V8 says it.
    if (said.id !== undefined) answers.get(said.id)?.(said)
    else {
      events.push(said)
      look()
    }
  })
  return {
    ask: (method, params = {}) => new Promise((resolve, reject) => {
      const id = ++last
      answers.set(id, ({ result = {}, error }) => error === undefined ? resolve(result) : reject(new Error(`${method}: ${error.message}`)))
      socket.send(JSON.stringify({ id, method, params }))
    }),
    next: (method) => new Promise((resolve) => {
      look = () => {
        const at = events.findIndex((event) => event.method === method)
        if (at >= 0) resolve(events.splice(0, at + 1).at(-1)!.params ?? {})
      }
      look()
    }),
    close: () => socket.close(),
  }
}
