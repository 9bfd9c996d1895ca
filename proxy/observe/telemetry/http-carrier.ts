import http from 'node:http'
import https from 'node:https'
import { fieldsOf, retryAfterMs, takenWith, type Carrier, type CollectorSettings, type Outcome } from './delivery.ts'

/** Of an answer nothing more is read. */
const mostAnswerBytes = 64 * 1024
/** Other statuses will not change by asking again (OTLP specification, "Failures"). */
const worthAnother = new Set([429, 502, 503, 504])

export interface PostSettings extends CollectorSettings {
  readonly contentType: string
  /** The answer is an OTLP message that may say what was not wanted. */
  readonly readsAnswer: boolean
}

/** One POST for each delivery, over one connection that is kept. */
export function httpCarrier (settings: PostSettings): Carrier {
  const url = new URL(settings.endpoint)
  const secure = url.protocol === 'https:'
  const agent = new (secure ? https : http).Agent({ keepAlive: true, maxSockets: 1, maxFreeSockets: 1 })
  return {
    async send (body, signal) {
      try {
        const fields = await fieldsOf(settings)
        const headers = { ...fields, 'content-type': settings.contentType, 'content-length': body.length }
        const { request } = secure ? https : http
        return await new Promise<Outcome>((resolve, reject) => {
          const sent = request(url, { method: 'POST', headers, agent, signal: AbortSignal.any([signal, AbortSignal.timeout(settings.timeoutMs)]) }, (response) => {
            const chunks: Buffer[] = []
            let bytes = 0
            response.on('data', (chunk: Buffer) => {
              if ((bytes += chunk.length) > mostAnswerBytes) response.destroy()
              else chunks.push(chunk)
            })
            response.on('error', reject)
            response.on('close', () => resolve(outcomeOf(response, Buffer.concat(chunks), settings.readsAnswer)))
          })
          sent.on('error', reject)
          sent.end(body)
        })
      } catch (error) {
        return { kind: 'later', why: reasonOf(error, settings.timeoutMs), afterMs: undefined }
      }
    },
    close: () => agent.destroy(),
  }
}

function outcomeOf ({ statusCode = 0, headers }: http.IncomingMessage, body: Buffer, readsAnswer: boolean): Outcome {
  if (statusCode >= 200 && statusCode < 300) return readsAnswer ? takenWith(body) : { kind: 'taken', rejected: 0, why: '' }
  const why = `it answered ${statusCode}`
  return worthAnother.has(statusCode) ? { kind: 'later', why, afterMs: retryAfterMs(headers['retry-after'], Date.now()) } : { kind: 'refused', why }
}

/** Without what the system puts around it: addresses are in the configuration. */
export function reasonOf (error: unknown, timeoutMs: number): string {
  if (!(error instanceof Error)) return 'unknown'
  if (error.name === 'TimeoutError') return `it took more than ${timeoutMs} ms`
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message
}
