import { watched } from '../pipeline/body.ts'
import type { Exchange, Filter } from '../pipeline/exchange.ts'
import type { HeaderList } from '../pipeline/headers.ts'

export interface LogFilterSettings {
  readonly name: string
  readonly logRequest: boolean
  readonly logResponse: boolean
  /** Bytes of a body that are written; 0: none. */
  readonly maxBodyBytes: number
  /** Header fields that are written. */
  readonly fields: readonly string[]
}

/** Writes one line; `facts` are safe to be printed but for what the operator asked for. */
export type WriteLine = (message: string, facts: Readonly<Record<string, unknown>>) => void

interface Seen {
  request: Sample | undefined
  response: Sample | undefined
  headers: Readonly<Record<string, string>> | undefined
}

/** Writes what comes by into the log of the proxy: a line when a request arrives, and one when its answer is over. */
export function logFilter (settings: LogFilterSettings, write: WriteLine): Filter {
  const { name, logRequest, logResponse, maxBodyBytes, fields } = settings
  const seen = new WeakMap<Exchange, Seen>()
  const chosen = fields.map((field) => field.toLowerCase())
  return {
    name: 'log',
    onRequest (x) {
      const { request, requestBody } = x
      const about: Seen = { request: undefined, response: undefined, headers: undefined }
      seen.set(x, about)
      if (maxBodyBytes > 0 && requestBody !== undefined) {
        const sample = about.request = new Sample(maxBodyBytes)
        x.requestBody = watched(requestBody, (chunk) => sample.add(chunk))
      }
      if (logRequest) {
        write(`${request.method} ${request.path}`, {
          event: 'request', filter: name, request_id: x.id, method: request.method, path: request.path, host: request.authority, client_ip: x.clientIp,
          ...chosen.length === 0 ? {} : { headers: fieldsOf(request.headers, chosen) },
        })
      }
      return undefined
    },
    onResponse (x, reply) {
      const about = seen.get(x)
      if (about === undefined) return undefined
      if (chosen.length > 0) about.headers = fieldsOf(reply.headers, chosen)
      if (maxBodyBytes === 0 || reply.body === undefined || reply.status === 101) return undefined
      const sample = about.response = new Sample(maxBodyBytes)
      return { ...reply, body: watched(reply.body, (chunk) => sample.add(chunk)) }
    },
    onDone (x) {
      const about = seen.get(x)
      if (about === undefined || !logResponse && about.request === undefined && about.response === undefined) return
      write(`${x.request.method} ${x.request.path} ${x.reply?.status ?? 0}`, {
        event: 'response', filter: name, request_id: x.id, status: x.reply?.status ?? 0, duration_ms: Math.round(x.durationMs * 1000) / 1000,
        ...x.fault === undefined ? {} : { fault: x.fault.code },
        ...about.headers === undefined ? {} : { headers: about.headers },
        ...about.request === undefined ? {} : { request_body: about.request.text, request_body_bytes: about.request.bytes },
        ...about.response === undefined ? {} : { response_body: about.response.text, response_body_bytes: about.response.bytes },
      })
    },
  }
}

function fieldsOf (headers: HeaderList, chosen: readonly string[]): Record<string, string> {
  return Object.fromEntries(chosen.filter((name) => headers.has(name)).map((name) => [name, headers.getAll(name).join(', ')]))
}

/** The beginning of a body, copied: the pieces themselves may hold many times their length. */
class Sample {
  readonly #kept: Buffer[] = []
  #room: number
  bytes = 0

  constructor (maxBytes: number) {
    this.#room = maxBytes
  }

  add (chunk: Buffer | undefined): void {
    if (chunk === undefined) return
    this.bytes += chunk.length
    if (this.#room === 0) return
    const part = Buffer.from(chunk.subarray(0, this.#room))
    this.#room -= part.length
    this.#kept.push(part)
  }

  /** What is no UTF-8 is replaced. */
  get text (): string {
    return Buffer.concat(this.#kept).toString()
  }
}
