import type { MaybePromise } from './body.ts'
import type { Exchange, Reply, Route } from './exchange.ts'

/**
 * Asks the filters in file order; the first reply wins. Nobody replied: the route's responder does.
 * A promise is awaited only where there is one (test/bench/chain.bench.ts).
 */
export function answerOf (x: Exchange, route: Route): MaybePromise<Reply> {
  const { filters } = route
  while (x.entered < filters.length) {
    const { name, onRequest: hook } = filters[x.entered++]!
    if (hook === undefined) continue
    const reply = hook(x)
    if (reply instanceof Promise) return waitedFor(x, name, reply, route)
    if (reply !== undefined) return reply
  }
  return (x.responder ?? route.responder).respond(x)
}

async function waitedFor (x: Exchange, filter: string, coming: Promise<Reply | undefined>, route: Route): Promise<Reply> {
  const sinceMs = performance.now()
  let given: Reply | undefined
  try {
    given = await coming
  } finally {
    x.recordWait(filter, 'request', sinceMs)
  }
  return given ?? answerOf(x, route)
}

/** Shows the reply to the filters that saw the request, in reverse order; each may put another in its place. */
export function lastReply (x: Exchange, route: Route, answer: Reply, from = x.entered - 1): MaybePromise<Reply> {
  let reply = answer
  for (let i = from; i >= 0; i--) {
    const { name, onResponse: hook } = route.filters[i]!
    if (hook === undefined) continue
    const other = hook(x, reply)
    if (other instanceof Promise) {
      const held = reply
      const sinceMs = performance.now()
      return other.finally(() => x.recordWait(name, 'response', sinceMs)).then((given) => lastReply(x, route, given ?? held, i - 1))
    }
    if (other !== undefined) reply = other
  }
  return reply
}
