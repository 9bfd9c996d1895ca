import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { promisify } from 'node:util'
import type { MaybePromise } from '../pipeline/body.ts'
import { isHostAllowed, isLoopback } from './host-check.ts'
import type { StatusJson } from './status.ts'

export interface AdminLog {
  warn (message: string, facts?: Readonly<Record<string, unknown>>): void
  error (message: string, facts?: Readonly<Record<string, unknown>>): void
}

export interface AdminOptions {
  readonly host: string
  /** 0 takes any free one. */
  readonly port: number
  /** Where the metrics are; "/metrics" when absent. */
  readonly path?: string
  /** Names, besides addresses and loopback names, under which it may be asked. */
  readonly hosts?: readonly string[]
  /** In the form that whoever asks says that it takes. */
  readonly metrics: (accept: string | undefined) => MaybePromise<{ readonly type: string, readonly body: string }>
  readonly status: () => MaybePromise<StatusJson>
  /** Whether traffic may be sent here: false while starting, draining, or when a listener is missing. */
  readonly ready: () => boolean
  /** It is the way to the end: those who ask whether it is ready are told. */
  readonly draining?: () => boolean
  readonly log: AdminLog
}

export interface Admin {
  /** Resolves with the bound address; rejects with an `AdminError` that names the setting to change. `descriptor`: it is bound already. Again after `pause`. */
  listen (descriptor?: number): Promise<{ readonly host: string, readonly port: number }>
  /** For a process that is to serve the same address. */
  readonly descriptor: number
  /** Another place for the metrics. */
  setPath (path: string): void
  /** Nobody new is answered until it listens again. */
  pause (): Promise<void>
  close (): Promise<void>
}

export class AdminError extends Error {
  readonly code: 'ADMIN_ADDRESS_IN_USE' | 'ADMIN_ADDRESS_UNUSABLE'

  constructor (code: AdminError['code'], message: string, cause: unknown) {
    super(message, { cause })
    this.name = 'AdminError'
    this.code = code
  }
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string | Buffer
  readonly headers?: Readonly<Record<string, string>>
}

const SETTING = 'observability { metrics { address } }'
const MAX_CONNECTIONS = 64

/** The server of operators and machines that watch: metrics, health, readiness, status. It changes nothing and shows no secrets. */
export function createAdmin (options: AdminOptions): Admin {
  let pages = pagesOf(options)
  const hostRule = { configured: [options.host, ...options.hosts ?? []], loopback: isLoopback(options.host) }
  const server = createServer({
    maxHeaderSize: 8 * 1024,
    headersTimeout: 5_000,
    requestTimeout: 5_000,
    keepAliveTimeout: 30_000,
    connectionsCheckingInterval: 2_000,
  }, (request, response) => {
    const answer = isHostAllowed(request.headers.host, hostRule) ? answerTo(request, pages, options.log) : misdirected
    if (answer instanceof Promise) void answer.then((made) => send(request, response, made))
    else send(request, response, answer)
  })
  server.maxConnections = MAX_CONNECTIONS
  server.maxRequestsPerSocket = 1_000
  server.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
    else socket.destroy()
  })
  return {
    listen: (descriptor) => listen(server, options, descriptor),
    get descriptor () { return (server as Server & { readonly _handle?: { readonly fd: number } | null })._handle?.fd ?? -1 },
    setPath (path) { pages = pagesOf({ ...options, path }) },
    async pause () { server.close() },
    close: () => close(server),
  }
}

const misdirected: Answer = text(421, 'This name is not served here: ask by address, or by the name in the configuration.')

type Page = (request: IncomingMessage) => MaybePromise<Answer>

function pagesOf (options: AdminOptions): ReadonlyMap<string, Page> {
  return new Map<string, Page>([
    ['/health', () => text(200, 'ok')],
    ['/ready', () => options.ready() ? text(200, 'ready') : text(503, options.draining?.() === true ? 'draining' : 'not ready')],
    ['/status', async () => ({ status: 200, type: 'application/json', body: `${JSON.stringify(await options.status(), null, 2)}\n` })],
    [options.path ?? '/metrics', async ({ headers }) => compressed(headers['accept-encoding'], await options.metrics(headers.accept))],
  ])
}

function answerTo (request: IncomingMessage, pages: ReadonlyMap<string, Page>, log: AdminLog): MaybePromise<Answer> {
  const path = request.url?.split('?', 1)[0] ?? ''
  const page = pages.get(path)
  if (page === undefined) return text(404, `Nothing is here. There are: ${[...pages.keys()].join(' ')}`)
  if (request.method !== 'GET' && request.method !== 'HEAD') return text(405, 'Only GET and HEAD are understood here.')
  return madeBy(page, request, path, log)
}

async function madeBy (page: Page, request: IncomingMessage, path: string, log: AdminLog): Promise<Answer> {
  try {
    return await page(request)
  } catch (error) {
    log.error('the admin page could not be made', { code: 'INTERNAL', path, error })
    return text(500, 'This page could not be made; the log says why.')
  }
}

/** Figures repeat themselves: a tenth of the bytes. Whoever refuses gzip (`;q=0`) gets them as they are. */
async function compressed (accepted: string | string[] | undefined, { type, body }: { readonly type: string, readonly body: string }): Promise<Answer> {
  const vary = { vary: 'accept, accept-encoding' }
  const takes = /(?:^|[\s,])gzip\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$))[\d.]+\s*)?(?:,|$)/i.test(String(accepted ?? ''))
  if (!takes || body.length < 1_000) return { status: 200, type, body, headers: vary }
  const { gzip } = await import('node:zlib')
  return { status: 200, type, body: await promisify(gzip)(body, { level: 3 }), headers: { ...vary, 'content-encoding': 'gzip' } }
}

function text (status: number, body: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', body: `${body}\n` }
}

function send (request: IncomingMessage, response: ServerResponse, { status, type, body, headers }: Answer): void {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  // A body nobody asked for is not read: the connection ends instead.
  const bodyFollows = request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined
  response.writeHead(status, {
    'content-type': type,
    'content-length': bytes.length,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'cross-origin-resource-policy': 'same-origin',
    ...headers,
    ...(status === 405 ? { allow: 'GET, HEAD' } : {}),
    ...(bodyFollows ? { connection: 'close' } : {}),
  })
  response.end(request.method === 'HEAD' ? undefined : bytes)
}

function listen (server: Server, options: AdminOptions, descriptor: number | undefined): Promise<{ host: string, port: number }> {
  const { host, port, log } = options
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(addressError(error, host, port)))
    server.listen(descriptor === undefined ? { host, port } : { fd: descriptor }, () => {
      server.removeAllListeners('error')
      server.on('error', (error) => log.error('the admin server failed', { code: 'INTERNAL', error }))
      const bound = server.address()
      if (!isLoopback(host)) {
        log.warn('the admin address can be reached from other machines and asks for no password', { address: `${host}:${port}`, setting: SETTING })
      }
      resolve({ host, port: typeof bound === 'object' && bound !== null ? bound.port : port })
    })
  })
}

function addressError (error: Error, host: string, port: number): AdminError {
  const code = 'code' in error ? error.code : undefined
  const where = `${host.includes(':') ? `[${host}]` : host}:${port}`
  if (code === 'EADDRINUSE') {
    return new AdminError('ADMIN_ADDRESS_IN_USE', `another process listens on ${where}; write another address in ${SETTING}, or enabled #false`, error)
  }
  return new AdminError('ADMIN_ADDRESS_UNUSABLE', `cannot listen on ${where} (${typeof code === 'string' ? code : error.message}); change the address in ${SETTING}`, error)
}

/** Answers under way are finished; what then still hangs on is cut off after a second. */
function close (server: Server): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), 1_000)
    server.close(() => {
      clearTimeout(cut)
      resolve()
    })
    server.closeIdleConnections()
  })
}
