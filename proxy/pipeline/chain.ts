import type { MaybePromise } from './body.ts'
import type { Exchange, Reply, Route } from './exchange.ts'

/**
 * Asks the filters in file order; the first reply wins. Nobody replied: the route's responder does.
 * A promise is awaited only where there is one (test/bench/chain.bench.ts).
 */
export function answerOf (x: Exchange, route: Route): MaybePromise<Reply> {
  const { filters } = route
  while (x.entered < filters.length) {
    const hook = filters[x.entered++]!.onRequest
    if (hook === undefined) continue
    const reply = hook(x)
    if (reply instanceof Promise) return reply.then((given) => given ?? answerOf(x, route))
    if (reply !== undefined) return reply
  }
  return (x.responder ?? route.responder).respond(x)
}

/** Shows the reply to the filters that saw the request, in reverse order; each may put another in its place. */
export function lastReply (x: Exchange, route: Route, answer: Reply, from = x.entered - 1): MaybePromise<Reply> {
  let reply = answer
  for (let i = from; i >= 0; i--) {
    const hook = route.filters[i]!.onResponse
    if (hook === undefined) continue
    const other = hook(x, reply)
    if (other instanceof Promise) {
      const held = reply
      return other.then((given) => lastReply(x, route, given ?? held, i - 1))
    }
    if (other !== undefined) reply = other
  }
  return reply
}
