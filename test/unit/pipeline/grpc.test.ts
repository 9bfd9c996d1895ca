import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Exchange } from '../../../proxy/pipeline/exchange.ts'
import { faultAnswer } from '../../../proxy/pipeline/fault-reply.ts'
import { faults, type FaultCode } from '../../../proxy/pipeline/faults.ts'
import { grpcStatusOf, isGrpc } from '../../../proxy/pipeline/grpc.ts'
import { HeaderList } from '../../../proxy/pipeline/headers.ts'

const codes = Object.keys(faults) as FaultCode[] // The keys of the table are its codes.

function exchange (contentType: string | undefined, version = '2'): Exchange {
  const headers = new HeaderList(contentType === undefined ? [] : ['content-type', contentType])
  return { id: 'abc', request: { version, headers } } as unknown as Exchange
}

test('every fault that a client can read about has a status of gRPC, and none is OK', () => {
  const odd = codes.filter((code) => faults[code].status !== 0 && !(grpcStatusOf(code) > 0 && grpcStatusOf(code) <= 16))
  assert.deepEqual(odd, [])
})

test('it says what the fault says', () => {
  const expected: Partial<Record<FaultCode, number>> = {
    UPSTREAM_CONNECT: 14, UPSTREAM_RESET: 14, UPSTREAM_TIMEOUT: 4, UPSTREAM_PROTOCOL: 13, UPSTREAM_BUSY: 14, AGENT_TIMEOUT: 14, BODY_TOO_LARGE: 8, NO_ROUTE: 12,
    UPGRADE_REFUSED: 7, INTERNAL: 13, SHUTTING_DOWN: 14, OVERLOADED: 14, HEAD_TOO_LARGE: 8, BAD_REQUEST: 3,
  }
  assert.deepEqual(Object.fromEntries(Object.keys(expected).map((code) => [code, grpcStatusOf(code as FaultCode)])), expected)
})

test('gRPC is a content type of HTTP/2, and grpc-web is another', () => {
  for (const type of ['application/grpc', 'application/grpc+proto', 'Application/GRPC; x=y']) assert.equal(isGrpc(exchange(type)), true, type)
  for (const type of ['application/grpc-web', 'application/grpc-web+proto', 'application/grpcx', 'application/json', undefined]) assert.equal(isGrpc(exchange(type)), false, type)
  assert.equal(isGrpc(exchange('application/grpc', '1.1')), false)
})

test('the answer is a head alone, and other clients get the page they would get', () => {
  const reply = faultAnswer(exchange('application/grpc'), 'UPSTREAM_TIMEOUT')
  assert.deepEqual([reply.status, reply.body, reply.headers.get('grpc-status'), reply.headers.get('content-type')], [200, undefined, '4', 'application/grpc'])
  assert.equal(faultAnswer(exchange('application/json'), 'UPSTREAM_TIMEOUT').status, 504)
})
