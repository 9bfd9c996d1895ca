import { request as http1Request, type IncomingHttpHeaders } from 'node:http'
import { connect, constants } from 'node:http2'

/** An exchange as a test describes it, whatever the client speaks. */
export interface Asked {
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  /** Sent one after the other, without a length; a single text has one. */
  readonly body?: string | readonly string[]
  readonly trailers?: Readonly<Record<string, string>>
  /** The body is sent only when it is asked for. */
  readonly expect?: boolean
  /** The body never ends. */
  readonly endless?: boolean
}

/** What came of it, without what differs by nature: connection fields, the time, the request's id. */
export interface Got {
  readonly status: number
  readonly interim: readonly string[]
  readonly fields: readonly string[]
  readonly body: string
  readonly trailers: Readonly<Record<string, string>>
  /** The answer broke off. */
  readonly broken: boolean
}

const natural = new Set(['date', 'connection', 'keep-alive', 'transfer-encoding', 'x-request-id'])

function plain (headers: IncomingHttpHeaders): string[] {
  return Object.entries(headers).filter(([name]) => !name.startsWith(':') && !natural.has(name))
    .map(([name, value]) => `${name}: ${Array.isArray(value) ? value.join(' | ') : value}`).toSorted()
}

const texts = (headers: IncomingHttpHeaders): Record<string, string> => Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))

function headersOf ({ headers, body, expect, trailers }: Asked): Record<string, string> {
  return {
    ...headers,
    ...typeof body === 'string' ? { 'content-length': String(Buffer.byteLength(body)) } : {},
    ...expect === true ? { expect: '100-continue' } : {},
    ...trailers === undefined ? {} : { te: 'trailers' },
  }
}

export function askHttp1 (port: number, asked: Asked): Promise<Got> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', path, body, trailers, expect, endless } = asked
    const headers = headersOf(asked)
    const request = http1Request({ host: '127.0.0.1', port, method, path, agent: false, headers: { ...headers, ...headers['te'] === undefined ? {} : { connection: 'te' } } })
    const interim: string[] = []
    let over = false
    const send = (): void => {
      for (const piece of typeof body === 'string' ? [body] : body ?? []) request.write(piece)
      if (trailers !== undefined) request.addTrailers(trailers)
      if (endless !== true) request.end()
    }
    request.on('information', ({ statusCode, headers }) => interim.push([statusCode, ...plain(headers)].join(' ')))
    request.on('error', (error) => { if (!over) reject(error) })
    request.on('response', (answer) => {
      let text = ''
      const done = (broken: boolean): void => {
        over = true
        request.destroy()
        resolve({ status: answer.statusCode!, interim, fields: plain(answer.headers), body: text, trailers: texts(answer.trailers), broken })
      }
      answer.setEncoding('latin1').on('data', (piece: string) => { text += piece }).on('end', () => done(false)).on('error', () => done(true))
    })
    if (expect === true) {
      request.once('continue', send)
      request.flushHeaders()
    } else {
      send()
    }
  })
}

export function askHttp2 (port: number, asked: Asked): Promise<Got> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', path, body, trailers, expect, endless } = asked
    const session = connect(`http://127.0.0.1:${port}`)
    session.on('error', reject)
    const stream = session.request({ ':method': method, ':path': path, ...headersOf(asked) }, { endStream: body === undefined && endless !== true, waitForTrailers: trailers !== undefined })
    const interim: string[] = []
    let head: IncomingHttpHeaders = {}
    let behind: IncomingHttpHeaders = {}
    let text = ''
    const send = (): void => {
      for (const piece of typeof body === 'string' ? [body] : body ?? []) stream.write(piece)
      if (endless !== true) stream.end()
    }
    stream.on('headers', (headers: IncomingHttpHeaders) => interim.push([headers[':status' as string], ...plain(headers)].join(' ')))
    stream.on('response', (headers) => { head = headers })
    stream.on('trailers', (headers: IncomingHttpHeaders) => { behind = headers })
    stream.on('wantTrailers', () => stream.sendTrailers(trailers ?? {}))
    stream.setEncoding('latin1').on('data', (piece: string) => { text += piece })
    stream.on('end', () => {
      // Whoever has its answer need not say more.
      if (endless === true) stream.close(constants.NGHTTP2_CANCEL)
    })
    stream.on('error', () => {})
    stream.on('close', () => {
      session.close()
      const broken = stream.rstCode !== constants.NGHTTP2_NO_ERROR && endless !== true
      if (head[':status' as string] === undefined) reject(new Error(`no answer: reset with ${stream.rstCode}`))
      else resolve({ status: Number(head[':status' as string]), interim, fields: plain(head), body: text, trailers: texts(behind), broken })
    })
    if (expect === true) stream.on('continue', send)
    else if (body !== undefined || endless === true) send()
  })
}
