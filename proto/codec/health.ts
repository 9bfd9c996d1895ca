// Made from proto/grpc/health/v1/health.proto by proto/generate.ts (node dist/proto/generate.js). Do not edit.
import { decode, type Reader } from './reader.ts'
import { numberOf, type Unrecognized } from './words.ts'
import { encode, type Writer } from './writer.ts'

/** Words of `HealthCheckResponseServingStatus`; the index is the number on the wire. */
export const healthCheckResponseServingStatusWords = [
  'unknown', 'serving', 'not_serving', 'service_unknown',
] as const
/** A word of `HealthCheckResponseServingStatus`, or "unrecognized" for a number that this version has no word for. */
export type HealthCheckResponseServingStatus = typeof healthCheckResponseServingStatusWords[number] | Unrecognized
const healthCheckResponseServingStatusNumbers = new Map<string, number>(healthCheckResponseServingStatusWords.map((word, i) => [word, i]))

export interface HealthCheckRequest {
  readonly service: string
}

/** Every field at its default, to be spread. */
export const emptyHealthCheckRequest: HealthCheckRequest = {
  service: '',
}

export function writeHealthCheckRequest (w: Writer, m: HealthCheckRequest): void {
  if (m.service !== '') {
    w.string(m.service)
    w.uint32(10)
  }
}

export function readHealthCheckRequest (r: Reader, until: number): HealthCheckRequest {
  let service = ''
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 10: service = r.string(); break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    service,
  }
}

export function encodeHealthCheckRequest (message: HealthCheckRequest): Buffer {
  return encode(writeHealthCheckRequest, message)
}

export function decodeHealthCheckRequest (bytes: Uint8Array): HealthCheckRequest {
  return decode(readHealthCheckRequest, bytes)
}

export interface HealthCheckResponse {
  readonly status: HealthCheckResponseServingStatus
}

/** Every field at its default, to be spread. */
export const emptyHealthCheckResponse: HealthCheckResponse = {
  status: 'unknown',
}

export function writeHealthCheckResponse (w: Writer, m: HealthCheckResponse): void {
  if (m.status !== 'unknown') {
    w.uint32(numberOf(healthCheckResponseServingStatusNumbers, m.status))
    w.uint32(8)
  }
}

export function readHealthCheckResponse (r: Reader, until: number): HealthCheckResponse {
  let status: HealthCheckResponseServingStatus = 'unknown'
  while (r.pos < until) {
    const tag = r.uint32()
    switch (tag) {
      case 8: status = healthCheckResponseServingStatusWords[r.uint32()] ?? 'unrecognized'; break
      default: r.skip(tag)
    }
  }
  r.close(until)
  return {
    status,
  }
}

export function encodeHealthCheckResponse (message: HealthCheckResponse): Buffer {
  return encode(writeHealthCheckResponse, message)
}

export function decodeHealthCheckResponse (bytes: Uint8Array): HealthCheckResponse {
  return decode(readHealthCheckResponse, bytes)
}

export const healthService = {
  name: 'grpc.health.v1.Health',
  check: '/grpc.health.v1.Health/Check',
  watch: '/grpc.health.v1.Health/Watch',
} as const
