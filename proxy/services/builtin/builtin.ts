import { bodyOf } from '../../pipeline/body.ts'
import type { Exchange, Reply, Responder } from '../../pipeline/exchange.ts'
import { refusal } from '../../pipeline/fault-reply.ts'
import { Fault } from '../../pipeline/faults.ts'
import { HeaderList } from '../../pipeline/headers.ts'
import type { KeptAnswers } from '../../pipeline/kept-answers.ts'
import { isFromPage } from './guard.ts'
import { purgeOf } from './purge.ts'

export interface BuiltinPage {
  readonly status: number
  readonly type: string
  readonly body: string
}

/** Made by whoever knows the whole proxy. */
export type AskedPage = 'status' | 'ready' | 'metrics' | 'config' | 'upstreams'
export type Handler = AskedPage | 'health' | 'not-found' | 'cache-purge' | 'cache-stats'

export interface BuiltinSettings {
  readonly handler: Handler
  /** Gives the refusal for whoever may not see it; `undefined` where everybody may. */
  readonly guard: ((x: Exchange) => Reply | undefined) | undefined
  readonly ask: (page: AskedPage) => Promise<BuiltinPage>
  readonly answers: KeptAnswers
  /** Whether showing the token is part of asking: no web page can have a browser do that. */
  readonly byToken: boolean
}

const healthy: BuiltinPage = { status: 200, type: 'application/json', body: '{"status":"healthy"}\n' }

/** Answers with a page of the proxy itself. */
export function builtinPage (settings: BuiltinSettings): Responder {
  const { handler, guard } = settings
  const answer = answerOf(settings)
  const methods = handler === 'cache-purge' ? ['POST', 'PURGE'] : ['GET', 'HEAD']
  return {
    name: '',
    respond: (x) => {
      if (handler === 'not-found') return refusal(x, new Fault('NOT_FOUND'))
      const refused = guard?.(x)
      if (refused !== undefined) return refused
      if (!methods.includes(x.request.method)) return refusal(x, new Fault('METHOD_NOT_ALLOWED', x.request.method), ['Allow', methods.join(', ')])
      return answer(x)
    },
  }
}

function answerOf ({ handler, ask, answers, byToken }: BuiltinSettings): (x: Exchange) => Reply | Promise<Reply> {
  switch (handler) {
    case 'health': return () => replyOf(healthy)
    case 'not-found': return (x) => refusal(x, new Fault('NOT_FOUND'))
    case 'cache-stats': return async () => replyOf(json(await answers.facts()))
    case 'cache-purge': return async (x) => {
      if (!byToken && isFromPage(x)) return refusal(x, new Fault('OPERATORS_ONLY', 'a web page sent it'))
      const purge = purgeOf(x)
      if (purge === undefined) return refusal(x, new Fault('PURGE_UNCLEAR'))
      return replyOf(json(await answers.purge(purge)))
    }
    default: {
      const shared = together(() => ask(handler))
      return async () => replyOf(await shared())
    }
  }
}

/** Who asks while an answer is being made gets the same one: a thousand who ask cost what one costs. */
function together<T> (make: () => Promise<T>): () => Promise<T> {
  let making: Promise<T> | undefined
  return () => making ??= make().finally(() => { making = undefined })
}

function json (value: object): BuiltinPage {
  return { status: 200, type: 'application/json', body: `${JSON.stringify(value, null, 2)}\n` }
}

function replyOf ({ status, type, body }: BuiltinPage): Reply {
  const headers = HeaderList.from({
    'Content-Type': type,
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
    'Cross-Origin-Resource-Policy': 'same-origin',
  })
  return { status, headers, body: bodyOf(Buffer.from(body)) }
}
