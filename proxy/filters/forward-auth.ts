import { bodyAfter, bodyOf, gather, type Body } from '../pipeline/body.ts'
import { EndSignal, type EndListener } from '../pipeline/end-signal.ts'
import { Exchange, type Filter, type Reply, type Responder } from '../pipeline/exchange.ts'
import { faultAnswer } from '../pipeline/fault-reply.ts'
import { Fault } from '../pipeline/faults.ts'
import { canonicalName, HeaderList } from '../pipeline/headers.ts'
import { readPath } from '../pipeline/path.ts'

export interface ForwardAuthSettings {
  /** As the operator named it. */
  readonly name: string
  readonly method: string
  readonly path: string
  /** Without "?". */
  readonly query: string
  /** `undefined`: the target's own name. */
  readonly host: string | undefined
  /** Of the client's request; empty: all. */
  readonly requestHeaders: readonly string[]
  /** Of a good answer. */
  readonly responseHeaders: readonly string[]
  /** Of a good answer: who it is. */
  readonly userHeader: string | undefined
  readonly passCookies: boolean
  readonly redirectScripts: boolean
  /** Bytes of the request's body that are sent along; 0: none of it is. */
  readonly maxBodyBytes: number
  readonly maxAnswerBytes: number
  readonly timeoutMs: number
  readonly failureMode: 'open' | 'closed'
}

interface Answer {
  readonly status: number
  readonly headers: HeaderList
  readonly body: Buffer
}

/** Asks another HTTP server whether a request may pass. 2xx says so; any other answer is the client's. */
export function forwardAuthFilter (settings: ForwardAuthSettings, service: Responder): Filter {
  const { responseHeaders, userHeader, passCookies, redirectScripts, maxBodyBytes } = settings
  const copied = responseHeaders.map((name) => ({ name, lower: name.toLowerCase() }))
  const aliases = new Set(responseHeaders.map(canonicalName))
  const headersOf = questionHeaders(settings)
  const userField = userHeader?.toLowerCase()
  const cookies = new WeakMap<Exchange, readonly string[]>()
  return {
    name: 'forward-auth',
    async onRequest (x) {
      const body = maxBodyBytes === 0 ? undefined : await heldBody(x, maxBodyBytes)
      const answer = await answerFor(x, question(x, settings, headersOf(x, body !== undefined), body), settings, service)
      // Whatever the answer is: what the upstream reads under these names comes from there alone.
      x.request.headers.removeIf((name) => aliases.has(canonicalName(name)))
      if (answer === undefined) return undefined
      if (answer.status >= 300) return refusal(x, answer, redirectScripts)
      for (const { name, lower } of copied) for (const value of answer.headers.getAll(lower)) x.request.headers.append(name, value)
      const user = userField === undefined ? undefined : answer.headers.get(userField)
      if (user !== undefined) x.setAttribute('user', Buffer.from(user, 'latin1').toString())
      const given = passCookies ? answer.headers.getAll('set-cookie') : []
      if (given.length > 0) cookies.set(x, given)
      return undefined
    },
    ...!passCookies ? {} : {
      onResponse (x, { headers }) {
        for (const cookie of cookies.get(x) ?? []) headers.append('Set-Cookie', cookie)
        return undefined
      },
    },
  }
}

/** The body, held for both who get it. */
async function heldBody (x: Exchange, maxBytes: number): Promise<Buffer | undefined> {
  const { requestBody } = x
  if (requestBody === undefined) return undefined
  if (requestBody.length !== undefined && requestBody.length > maxBytes) throw new Fault('BODY_TOO_LARGE')
  const { chunks, complete } = await gather(requestBody, maxBytes)
  if (!complete) throw new Fault('BODY_TOO_LARGE')
  x.requestBody = bodyAfter(chunks, requestBody)
  return Buffer.concat(chunks)
}

/** Fields that speak of this request's body, of another resource's answer, or of what the connection should become. */
const ofTheRequestAlone = /^(?:host|accept-encoding|content-.*|expect|if-.*|range|sec-websocket-.*|x-forwarded-(?:method|uri)|x-original-(?:method|url|uri))$/
/** Always sent, whatever the operator chose. */
const always = ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-real-ip', 'x-request-id']

function questionHeaders ({ host, requestHeaders }: ForwardAuthSettings): (x: Exchange, withBody: boolean) => HeaderList {
  const chosen = requestHeaders.length === 0 ? undefined : new Set([...requestHeaders.map((name) => name.toLowerCase()), ...always])
  return ({ request }, withBody) => {
    const headers = request.headers.clone()
    headers.removeIf((name) => {
      const canonical = canonicalName(name)
      if (withBody && (canonical === 'content-type' || canonical === 'content-encoding')) return false
      return ofTheRequestAlone.test(canonical) || chosen?.has(name.toLowerCase()) === false
    })
    // What is judged is what the upstream will be asked for: `/public/../admin` would be two things to two readers.
    const { upstreamPath } = readPath(request.rawPath)
    const uri = request.query === '' ? upstreamPath : `${upstreamPath}?${request.query}`
    headers.append('X-Forwarded-Method', request.method)
    headers.append('X-Forwarded-Uri', uri)
    headers.append('X-Original-Method', request.method)
    headers.append('X-Original-URL', `${headers.get('x-forwarded-proto') ?? request.scheme}://${headers.get('x-forwarded-host') ?? request.authority}${uri}`)
    if (host !== undefined) headers.append('Host', host)
    return headers
  }
}

function question (x: Exchange, { method, path, query }: ForwardAuthSettings, headers: HeaderList, content: Buffer | undefined): Exchange {
  const body: Body | undefined = content === undefined ? undefined : bodyOf(content)
  const asked = new Exchange({
    id: x.id, startedMs: performance.now(), listener: x.listener, peer: x.peer, requestBody: body, ending: new EndSignal(),
    request: { method, scheme: x.request.scheme, authority: '', rawPath: path, path, upstreamPath: path, query, version: '1.1', headers },
  })
  asked.clientIp = x.clientIp
  return asked
}

/** `undefined`: there is none, and the request may go on without. Throws the fault that refuses it. */
async function answerFor (x: Exchange, asked: Exchange, settings: ForwardAuthSettings, service: Responder): Promise<Answer | undefined> {
  const { name, failureMode } = settings
  try {
    const answer = await withDeadline(x, asked, settings, service)
    if (answer.status >= 500) throw new Fault('AUTH_UNAVAILABLE', `${name} answered ${answer.status}`)
    x.setAttribute('forward-auth.status', String(answer.status))
    return answer
  } catch (error) {
    if (x.ending.reason !== undefined) throw x.ending.reason
    const why = Fault.from(error)
    if (failureMode === 'closed') throw why.code === 'AUTH_UNAVAILABLE' ? why : new Fault('AUTH_UNAVAILABLE', `${name}: ${why.message}`, why)
    x.setAttribute('forward-auth.failed', why.code)
    return undefined
  }
}

/** Ends the question when the client leaves, and when its time is over: whatever it waits for then. */
async function withDeadline (x: Exchange, asked: Exchange, { timeoutMs, maxAnswerBytes }: ForwardAuthSettings, service: Responder): Promise<Answer> {
  if (x.ending.reason !== undefined) throw x.ending.reason
  const leaving: EndListener = { onExchangeEnd: (reason) => asked.ending.end(reason) }
  const timer = setTimeout(() => asked.ending.end(new Fault('UPSTREAM_TIMEOUT', `no whole answer in ${timeoutMs} ms`)), timeoutMs)
  x.ending.listen(leaving)
  try {
    return await wholeAnswer(await service.respond(asked), asked, maxAnswerBytes)
  } finally {
    clearTimeout(timer)
    x.ending.ignore(leaving)
    asked.requestBody?.cancel()
  }
}

async function wholeAnswer ({ status, headers, body }: Reply, asked: Exchange, maxBytes: number): Promise<Answer> {
  if (body === undefined) return { status, headers, body: Buffer.alloc(0) }
  const late = (reason: Fault): void => body.cancel(reason)
  const listener: EndListener = { onExchangeEnd: late }
  if (asked.ending.reason === undefined) asked.ending.listen(listener)
  try {
    const { chunks, complete } = await gather(body, maxBytes)
    if (asked.ending.reason !== undefined) throw asked.ending.reason
    if (!complete) throw new Fault('AUTH_UNAVAILABLE', `its answer is larger than ${maxBytes} bytes`)
    return { status, headers, body: Buffer.concat(chunks) }
  } catch (error) {
    body.cancel()
    throw error
  } finally {
    asked.ending.ignore(listener)
  }
}

/** A redirect leads to a page where somebody signs in. Who cannot show it, or would take it for the answer, is told in the way of HTTP. */
function refusal (x: Exchange, { status, headers, body }: Answer, redirectScripts: boolean): Reply {
  if (status >= 400 || redirectScripts || showsPages(x)) return { status, headers, body: bodyOf(body) }
  x.fault = new Fault('AUTH_REQUIRED')
  const reply = faultAnswer(x, 'AUTH_REQUIRED')
  for (const name of ['WWW-Authenticate', 'Location', 'Set-Cookie']) {
    for (const value of headers.getAll(name.toLowerCase())) reply.headers.append(name, value)
  }
  return reply
}

/** Whether a person looks at the answer: what fetch metadata says (w3.org/TR/fetch-metadata), and where there is none, who wants HTML. */
function showsPages ({ upgrade, request: { headers } }: Exchange): boolean {
  if (upgrade !== undefined) return false
  const mode = headers.get('sec-fetch-mode')
  if (mode !== undefined) return mode === 'navigate'
  if (headers.get('x-requested-with')?.toLowerCase() === 'xmlhttprequest') return false
  return headers.getAll('accept').some((value) => value.toLowerCase().includes('text/html'))
}
