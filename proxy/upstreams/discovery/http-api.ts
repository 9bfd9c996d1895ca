import { readFileSync } from 'node:fs'
import { request as plainRequest, type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { request as secureRequest } from 'node:https'
import type { TLSSocket } from 'node:tls'
import { DiscoveryError } from './source.ts'

/** Where an HTTP interface is, and how it is known to be the right one. */
export interface Api {
  readonly host: string
  readonly port: number
  /** A Unix socket in place of host and port. */
  readonly socketPath?: string
  readonly tls?: ApiTls
  readonly headers?: Readonly<Record<string, string>>
}

export interface ApiTls {
  readonly ca?: string | Buffer
  readonly cert?: string | Buffer
  readonly key?: string | Buffer
  readonly serverName?: string
  readonly insecureSkipVerify?: boolean
}

export interface ApiAnswer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly json: unknown
}

/** Largest answer that is read, and longest line of one that does not end. */
const maxAnswerBytes = 16 * 1024 * 1024

/** A whole answer. Rejects for what is no answer, is too large, or is not JSON with a status of 200; no redirect is followed. */
export async function askApi (api: Api, path: string, signal: AbortSignal): Promise<ApiAnswer> {
  const response = await send(api, path, signal)
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > maxAnswerBytes) throw new DiscoveryError(`the answer is larger than ${maxAnswerBytes} bytes`)
      chunks.push(chunk)
    }
  } catch (error) {
    throw inWords(error)
  } finally {
    response.destroy()
  }
  const { statusCode: status = 0, headers } = response
  return { status, headers, json: status === 200 ? parsed(Buffer.concat(chunks).toString('utf8')) : undefined }
}

/** Lines of JSON of an answer that goes on. Resolves when it ends; `line` may throw to end it. */
export async function followApi (api: Api, path: string, signal: AbortSignal, line: (json: unknown) => boolean | void): Promise<number> {
  const response = await send(api, path, signal)
  try {
    if (response.statusCode !== 200) return response.statusCode ?? 0
    let rest = ''
    response.setEncoding('utf8')
    for await (const chunk of response as AsyncIterable<string>) {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop()!
      if (rest.length > maxAnswerBytes) throw new DiscoveryError(`a line is longer than ${maxAnswerBytes} bytes`)
      for (const text of lines) if (text.trim() !== '' && line(parsed(text)) === true) return 200
    }
    return 200
  } catch (error) {
    throw inWords(error)
  } finally {
    response.destroy()
  }
}

export function refusedWith (status: number, whom: string): DiscoveryError {
  const more = status === 401 || status === 403 ? ': the credentials are missing, wrong or not enough' : ''
  return new DiscoveryError(`${whom} answered with status ${status}${more}`)
}

function parsed (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new DiscoveryError('the answer is not JSON')
  }
}

function send ({ host, port, socketPath, tls, headers = {} }: Api, path: string, signal: AbortSignal): Promise<IncomingMessage> {
  const to: RequestOptions = {
    ...socketPath === undefined ? { host, port } : { socketPath, host: 'localhost' },
    path, signal, agent: false, headers: { Accept: 'application/json', 'User-Agent': 'sentinel', ...headers },
  }
  return new Promise((resolve, reject) => {
    const question: ClientRequest = tls === undefined ? plainRequest(to, resolve) : secureRequest({
      ...to,
      ...tls.ca === undefined ? {} : { ca: tls.ca }, ...tls.cert === undefined ? {} : { cert: tls.cert }, ...tls.key === undefined ? {} : { key: tls.key },
      ...tls.serverName === undefined ? {} : { servername: tls.serverName },
      rejectUnauthorized: tls.insecureSkipVerify !== true,
    }, resolve)
    question.once('error', (error) => reject(inWords(error)))
    question.once('socket', (socket: Partial<TLSSocket>) => socket.unref?.())
    question.end()
  })
}

/** Messages of Node.js name addresses and codes, never fields of the request. */
function inWords (error: unknown): DiscoveryError {
  if (error instanceof DiscoveryError) return error
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const sentence = error instanceof Error ? error.message : String(error)
  return new DiscoveryError(code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE' ? 'the connection broke before the answer was whole' : sentence, error)
}

export interface TlsFiles {
  readonly caCert?: string
  readonly clientCert?: string
  readonly clientKey?: string
}

/** Read for each question: renewed certificates count at once. */
export function tlsOf ({ caCert, clientCert, clientKey }: TlsFiles): ApiTls {
  try {
    return {
      ...caCert === undefined ? {} : { ca: readFileSync(caCert) },
      ...clientCert === undefined ? {} : { cert: readFileSync(clientCert) },
      ...clientKey === undefined ? {} : { key: readFileSync(clientKey) },
    }
  } catch (error) {
    throw new DiscoveryError('a certificate or key cannot be read', error)
  }
}

export function recordOf (value: unknown): Readonly<Record<string, unknown>> {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? value as Record<string, unknown> : {}
}

export function listOf (value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

export function textOf (value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
