import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2'
import { frame, FrameDecoder } from '../../../proto/codec/index.ts'
import { fieldsOf, takenWith, type Carrier, type CollectorSettings, type Outcome, type Signal } from './delivery.ts'
import { reasonOf } from './http-carrier.ts'

const services: Readonly<Record<Signal, string>> = {
  traces: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
  metrics: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
}
/** CANCELLED, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS (OTLP specification, "Failures" of OTLP/gRPC). */
const worthAnother = new Set(['1', '4', '8', '10', '11', '14', '15'])
/** RFC 9113 section 7. */
const CANCEL = 8
const mostAnswerBytes = 64 * 1024

/** One call for each delivery, over one HTTP/2 connection that is kept; without TLS where the endpoint is http. */
export function grpcCarrier (settings: CollectorSettings, signal: Signal): Carrier {
  const { origin } = new URL(settings.endpoint)
  let session: ClientHttp2Session | undefined
  const open = async (): Promise<ClientHttp2Session> => {
    if (session !== undefined && !session.closed && !session.destroyed) return session
    // A megabyte of Node that those who speak HTTP do without.
    const { connect } = await import('node:http2')
    const fresh = connect(origin)
    // A broken connection is told by the call on it; the next one opens another.
    fresh.on('error', () => fresh.destroy())
    fresh.on('goaway', () => fresh.close())
    fresh.unref()
    return session = fresh
  }
  return {
    async send (body, stop) {
      try {
        const fields = await fieldsOf(settings)
        const connection = await open()
        return await call(connection.request({
          ':method': 'POST', ':path': services[signal], 'content-type': 'application/grpc', 'te': 'trailers', 'grpc-timeout': `${settings.timeoutMs}m`, ...fields,
        }), body, AbortSignal.any([stop, AbortSignal.timeout(settings.timeoutMs)]))
      } catch (error) {
        session?.destroy()
        session = undefined
        return { kind: 'later', why: reasonOf(error, settings.timeoutMs), afterMs: undefined }
      }
    },
    close: () => session?.destroy(),
  }
}

function call (stream: ClientHttp2Stream, body: Buffer, stop: AbortSignal): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const decoder = new FrameDecoder(mostAnswerBytes)
    const messages: Buffer[] = []
    let status = ''
    let grpc: string | undefined
    const given = (): void => stream.close(CANCEL)
    const take = (fields: Readonly<Record<string, unknown>>): void => {
      if (typeof fields['grpc-status'] === 'string') grpc = fields['grpc-status']
    }
    stop.addEventListener('abort', given, { once: true })
    stream.on('response', (fields) => {
      status = String(fields[':status'] ?? '')
      take(fields)
    })
    stream.on('trailers', take)
    stream.on('data', (chunk: Buffer) => {
      try {
        messages.push(...decoder.push(chunk))
      } catch {
        given()
      }
    })
    stream.on('error', reject)
    stream.on('close', () => {
      stop.removeEventListener('abort', given)
      if (stop.aborted) reject(stop.reason as Error)
      else if (grpc === '0') resolve(takenWith(messages[0] ?? Buffer.alloc(0)))
      else if (grpc !== undefined) resolve({ kind: worthAnother.has(grpc) ? 'later' : 'refused', why: `it answered with gRPC status ${grpc.slice(0, 3)}`, afterMs: undefined })
      // Something that does not speak gRPC: a proxy in front of it that is overloaded, or another port than was meant.
      else resolve(status === '200' || status === '' || status.startsWith('5') ? later(status) : { kind: 'refused', why: `it answered ${status}, and not in gRPC` })
    })
    stream.end(frame(body))
  })
}

function later (status: string): Outcome {
  return { kind: 'later', why: status === '' ? 'the connection ended' : `it answered ${status}, and not in gRPC`, afterMs: undefined }
}
