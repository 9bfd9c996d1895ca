import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fault, faults, type FaultCode } from '../../../../proxy/pipeline/faults.ts'
import { HeaderList } from '../../../../proxy/pipeline/headers.ts'
import { mayAskSameTarget, reasonOfFault, reasonOfReply } from '../../../../proxy/upstreams/retry/policy.ts'

test('of all faults, those of a target that may do better the next time have a reason', () => {
  const reasons = (unsent: boolean): Record<string, string> => Object.fromEntries(Object.keys(faults).flatMap((code) => {
    const reason = reasonOfFault(new Fault(code as FaultCode), unsent) // Keys of the table.
    return reason === undefined ? [] : [[code, reason]]
  }))
  assert.deepEqual(reasons(false), { UPSTREAM_RESET: 'reset', UPSTREAM_TIMEOUT: 'timeout' })
  assert.deepEqual(reasons(true), {
    UPSTREAM_CONNECT: 'connect-failure', UPSTREAM_TLS: 'connect-failure', UPSTREAM_HTTP_VERSION: 'connect-failure', UPSTREAM_BUSY: 'connect-failure',
    UPSTREAM_RESET: 'reset', UPSTREAM_TIMEOUT: 'timeout',
  })
})

test('a target that is full, or speaks another language, is not asked again', () => {
  assert.deepEqual((['UPSTREAM_CONNECT', 'UPSTREAM_BUSY', 'UPSTREAM_HTTP_VERSION', 'UPSTREAM_RESET'] as const).map((code) => mayAskSameTarget(new Fault(code))), [true, false, false, true])
})

test('an answer is thrown away for its status, or for that of a call of gRPC that is nothing but trailers', () => {
  const of = (status: number, headers: Record<string, string> = {}) => reasonOfReply({ on: new Set(['grpc-unavailable']), statuses: new Set([503]) }, { status, headers: HeaderList.from(headers), body: undefined })
  assert.deepEqual([of(503), of(502), of(200)], ['503', undefined, undefined])
  assert.deepEqual([of(200, { 'Grpc-Status': '14' }), of(200, { 'Grpc-Status': '13' }), of(404, { 'Grpc-Status': '14' })], ['grpc-unavailable', undefined, undefined])
})
