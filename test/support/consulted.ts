import type { TestContext } from 'node:test'
import { agentFilter, connectAgent, type AgentClient, type AgentOptions, type FilterSettings } from '../../proxy/decisions/index.ts'
import { bodyOf, type Body } from '../../proxy/pipeline/body.ts'
import { EndSignal } from '../../proxy/pipeline/end-signal.ts'
import { Exchange, type Client, type Filter, type Reply } from '../../proxy/pipeline/exchange.ts'
import { HeaderList } from '../../proxy/pipeline/headers.ts'
import { serve } from '../../proxy/pipeline/serve.ts'
import { patienceMs } from './patience.ts'

export const settings: FilterSettings = {
  agentId: 'raw',
  mode: 'enforce',
  failureMode: 'closed',
  timeoutMs: patienceMs,
  maxTimeoutMs: patienceMs,
  bodyOver: 'block',
  maxRequestBodyBytes: 1024 * 1024,
  maxResponseBodyBytes: 1024 * 1024,
}

/** A client of the agent at `path` that is ready (or refused); closed with the test. */
export async function ready (t: TestContext, path: string, options: Partial<AgentOptions> = {}): Promise<AgentClient> {
  const client = unsettled(t, path, options)
  await client.settled(patienceMs)
  return client
}

/** The same of an agent that nobody will find ready. */
export function unsettled (t: TestContext, path: string, options: Partial<AgentOptions> = {}): AgentClient {
  const client = connectAgent({ id: 'raw', target: { path }, config: { json: '{}', version: 'v1' }, ...options })
  t.after(() => client.close())
  return client
}

export interface Asked {
  method?: string
  path?: string
  query?: string
  headers?: Record<string, string>
  body?: string | Buffer | Body
  ending?: EndSignal
  /** What the upstream does; answers 200 "upstream" when absent. Gets the request's body whole. */
  upstream?: (x: Exchange, body: string) => Reply | Promise<Reply>
}

export interface Outcome {
  readonly x: Exchange
  readonly status: number
  readonly headers: HeaderList
  readonly body: string
  /** The client's connection was cut. */
  readonly aborted: boolean
  /** What the upstream received; undefined when it was never asked. */
  readonly upstream: { readonly headers: HeaderList, readonly path: string, readonly query: string, readonly body: string } | undefined
}

let ids = 0

/** One request through the real life of a request, with these filters and a made-up upstream and client. */
export async function through (filters: readonly Filter[], asked: Asked = {}): Promise<Outcome> {
  const { body } = asked
  const path = asked.path ?? '/'
  const x = new Exchange({
    id: `x${++ids}`,
    startedMs: performance.now(),
    listener: 'main',
    peer: { address: '127.0.0.1', port: 5, tls: undefined },
    request: {
      method: asked.method ?? 'GET', scheme: 'http', authority: 'example.org', rawPath: path, path, upstreamPath: path, query: asked.query ?? '', version: '1.1',
      headers: HeaderList.from(asked.headers ?? {}),
    },
    requestBody: typeof body === 'string' || Buffer.isBuffer(body) ? bodyOf(Buffer.from(body)) : body,
    ending: asked.ending ?? new EndSignal(),
  })
  let upstream: Outcome['upstream']
  let status = 0
  let began = false
  let aborted = false
  let sent = ''
  let headers = new HeaderList()
  const client: Client = {
    async send (reply) {
      began = true
      status = reply.status
      headers = reply.headers
      if (reply.body !== undefined) sent = await textOf(reply.body, (text) => { sent = text })
    },
    get began () { return began },
    abort () { aborted = true },
  }
  const responder = {
    name: 'app',
    async respond (): Promise<Reply> {
      const seen = { headers: x.request.headers.clone(), path: x.request.upstreamPath, query: x.request.query }
      upstream = { ...seen, body: '' }
      const received = x.requestBody === undefined ? '' : await textOf(x.requestBody, (text) => { upstream = { ...seen, body: text } })
      x.upstream = 'app'
      return await asked.upstream?.(x, received) ?? { status: 200, headers: HeaderList.from({ 'Content-Type': 'text/plain' }), body: bodyOf(Buffer.from('upstream')) }
    },
  }
  await serve(x, {
    isTrusted: () => false,
    guardedHeaders: () => new Set(),
    match: () => ({ name: 'r', filters, responder, maxBodyBytes: Infinity }),
    admit: () => undefined,
    release () {},
    observe () {},
  }, client)
  return { x, status, headers, body: sent, aborted, upstream }
}

/** Asks one agent about one request. */
export function consult (client: AgentClient, asked: Asked = {}, overrides: Partial<FilterSettings> = {}): Promise<Outcome> {
  return through([agentFilter(client, { ...settings, ...overrides })], asked)
}

/** A body of these chunks, of unknown length. */
export function chunked (...chunks: readonly string[]): Body {
  const rest = chunks.map((chunk) => Buffer.from(chunk))
  return { length: undefined, trailers: undefined, read: () => rest.shift(), cancel () { rest.length = 0 } }
}

async function textOf (body: Body, progress: (text: string) => void): Promise<string> {
  let text = ''
  for (;;) {
    const chunk = await body.read()
    if (chunk === undefined) return text
    progress(text += chunk.toString('latin1'))
  }
}
