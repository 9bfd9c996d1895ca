import { bodyOf, gather } from '../../pipeline/body.ts'
import { EndSignal } from '../../pipeline/end-signal.ts'
import { Exchange, type Reply } from '../../pipeline/exchange.ts'
import { Fault } from '../../pipeline/faults.ts'
import { HeaderList } from '../../pipeline/headers.ts'
import { readPath } from '../../pipeline/path.ts'
import type { TargetSettings } from '../target.ts'
import { createUpstream } from '../upstream.ts'
import type { Reach } from './settings.ts'

/** Most of an answer that a check looks at. */
export const readBytes = 64 * 1024

export interface Question {
  readonly method: string
  readonly path: string
  readonly host?: string | undefined
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer
  readonly timeoutMs: number
}

export interface Answer {
  readonly status: number
  readonly headers: HeaderList
  /** Its beginning, when it is long. */
  readonly body: Buffer
  readonly trailers: HeaderList | undefined
  readonly ms: number
}

export interface Asker {
  /** The time counts for all of it, however slowly the answer trickles in. Rejects with a `Fault`. */
  ask (question: Question): Promise<Answer>
  close (): void
}

/** Asks one target as the traffic would: with the same TLS, HTTP version, socket and PROXY header, but over a new connection each time, which a target that is well accepts. */
export function askerOf (target: TargetSettings, reach: Reach, longestMs: number): Asker {
  const { maxRequests: _counted, ...address } = target
  const upstream = createUpstream({
    ...reach, balance: 'round-robin', targets: [{ ...address, weight: 1 }], poolMaxIdle: 0, poolMaxConnections: Infinity,
    connectTimeoutMs: longestMs, readTimeoutMs: longestMs, writeTimeoutMs: longestMs,
  })
  return {
    async ask (question) {
      const { timeoutMs } = question
      const ending = new EndSignal()
      const startedMs = performance.now()
      const late = setTimeout(() => ending.end(new Fault('UPSTREAM_TIMEOUT', `no answer within ${timeoutMs} ms`)), timeoutMs)
      try {
        const reply = await upstream.respond(exchangeOf(question, ending))
        const body = await beginningOf(reply, question.method)
        return { status: reply.status, headers: reply.headers, body, trailers: reply.body?.trailers, ms: performance.now() - startedMs }
      } finally {
        clearTimeout(late)
      }
    },
    close: () => void upstream.close(AbortSignal.abort()),
  }
}

async function beginningOf ({ body }: Reply, method: string): Promise<Buffer> {
  if (body === undefined || method === 'HEAD') return Buffer.alloc(0)
  const { chunks, complete } = await gather({
    length: body.length,
    trailers: undefined,
    // What comes from the wire is overwritten by what comes next.
    read: async () => {
      const chunk = await body.read()
      return chunk === undefined ? undefined : Buffer.from(chunk)
    },
    cancel: (reason) => body.cancel(reason),
  }, readBytes)
  if (!complete) body.cancel()
  return Buffer.concat(chunks).subarray(0, readBytes)
}

function exchangeOf ({ method, path, host, headers = {}, body }: Question, ending: EndSignal): Exchange {
  const [rawPath = '/', query = ''] = path.split('?')
  const x = new Exchange({
    id: 'check', startedMs: performance.now(), listener: '', peer: { address: '', port: 0, tls: undefined },
    request: {
      method, scheme: 'http', authority: host ?? '', rawPath, ...readPath(rawPath), query, version: '1.1',
      headers: HeaderList.from({ ...host === undefined ? {} : { Host: host }, 'User-Agent': 'sentinel-check', Accept: '*/*', ...headers }),
    },
    requestBody: body === undefined ? undefined : bodyOf(body), ending,
  })
  x.takesTrailers = headers['TE'] === 'trailers'
  return x
}

/** For the operator: what came in the way of an answer. */
export function whyNot (error: unknown): string {
  if (error instanceof Fault) return error.detail ?? error.code
  return error instanceof Error ? error.message : String(error)
}
