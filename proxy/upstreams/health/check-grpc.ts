import { Fault } from '../../pipeline/faults.ts'
import type { Asker } from './question.ts'
import type { CheckResult, GrpcCheck, Reach } from './settings.ts'

/** Of grpc.health.v1.HealthCheckResponse (https://github.com/grpc/grpc/blob/master/doc/health-checking.md). */
const servingStatus: readonly string[] = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN']

/** gRPC is HTTP/2, over TLS or not. */
export function grpcReach ({ proxyProtocol: _notShared, ...reach }: Reach): Reach {
  return { ...reach, http2: { when: 'always', maxStreams: 1, pingIntervalMs: 0 } }
}

/** `target`: reached by `grpcReach`. */
export async function checkGrpc (target: Asker, { service, timeoutMs }: GrpcCheck): Promise<CheckResult> {
  const { status, headers, trailers, body, ms } = await target.ask({
    method: 'POST', path: '/grpc.health.v1.Health/Check', timeoutMs, body: requestMessage(service),
    headers: { 'Content-Type': 'application/grpc', TE: 'trailers', 'Grpc-Timeout': `${Math.min(timeoutMs, 99_999_999)}m` },
  })
  if (status !== 200) return { healthy: false, degraded: false, why: `status ${status}`, ms }
  const code = trailers?.get('grpc-status') ?? headers.get('grpc-status') ?? ''
  if (code !== '0') return { healthy: false, degraded: false, why: code === '5' ? `the service '${service}' is not known` : `gRPC status ${code}`, ms }
  const serving = servingStatus[readStatus(body)] ?? 'UNKNOWN'
  return { healthy: serving === 'SERVING', degraded: false, why: serving, ms }
}

/** HealthCheckRequest { string service = 1 } behind the five bytes that each message of gRPC has. */
function requestMessage (service: string): Buffer {
  const name = Buffer.from(service)
  const message = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, ...varint(name.length)]), name])
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

function varint (value: number): number[] {
  return value < 128 ? [value] : [value % 128 + 128, ...varint(Math.floor(value / 128))]
}

/** HealthCheckResponse { ServingStatus status = 1 }: an empty message means 0. Other fields, which a later version may have, are passed over. */
function readStatus (body: Buffer): number {
  if (body.length < 5 || body[0] !== 0 || body.readUInt32BE(1) !== body.length - 5) throw new Fault('UPSTREAM_PROTOCOL', 'the answer is no message of gRPC')
  let status = 0
  for (let at = 5; at < body.length;) {
    const tag = readVarint(body, at)
    const value = readVarint(body, tag.next)
    if (tag.value === 0x08) status = value.value
    at = (tag.value & 7) === 2 ? value.next + value.value : value.next
    if ((tag.value & 7) !== 0 && (tag.value & 7) !== 2) throw new Fault('UPSTREAM_PROTOCOL', 'the answer is no HealthCheckResponse')
  }
  return status
}

function readVarint (body: Buffer, from: number): { value: number, next: number } {
  let value = 0
  for (let at = from, factor = 1; at < body.length && at < from + 5; at++, factor *= 128) {
    const byte = body[at]!
    value += byte % 128 * factor
    if (byte < 128) return { value, next: at + 1 }
  }
  throw new Fault('UPSTREAM_PROTOCOL', 'the answer is no HealthCheckResponse')
}
