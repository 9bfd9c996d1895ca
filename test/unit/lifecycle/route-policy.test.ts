import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { checkText } from '../../../config/sentinel/index.ts'
import { routePolicy } from '../../../proxy/lifecycle/route-policy.ts'
import type { RoutePolicy } from '../../../proxy/upstreams/index.ts'

const room = { used: 0 }
const filters = `filters {
  filter "patient" { type "timeout"; connect-timeout "1s"; upstream-timeout "2m"; request-timeout "5m" }
  filter "hasty" { type "timeout"; upstream-timeout "1s" }
}`

/** What a route with these settings wants, and what is said about them. */
function policyOf (content: string, limits = ''): RoutePolicy & { readonly problems: readonly string[] } {
  const { config, problems } = checkText(`listeners { listener "a" { address "127.0.0.1:1" } }
    routes { route "r" { matches { path-prefix "/" }; upstream "u"; ${content} } }
    upstreams { upstream "u" { target "127.0.0.1:2" } }
    ${content.includes('filters') ? filters : ''}
    limits { ${limits} }`, 'sentinel.kdl', { env: {} })
  assert.ok(config, problems.map(({ message }) => message).join('\n'))
  return { ...routePolicy(config.routes[0]!, config, room), problems: problems.map(({ message }) => message) }
}

const retryOf = (content: string) => policyOf(`retry-policy { ${content} }`).tries!.retry

test('a route that says nothing has no policy', () => {
  assert.deepEqual(policyOf(''), { problems: [] })
  assert.deepEqual(policyOf('hedge #false'), { problems: [] })
})

describe('retry-policy', () => {
  test('without anything in it: three tries of what could not be reached or broke off, a tenth of a second up to two, a fifth of the requests', () => {
    assert.deepEqual(policyOf('retry-policy { }').tries, {
      retry: {
        maxAttempts: 3, on: new Set(['connect-failure', 'reset']), statuses: new Set(), backOff: { firstMs: 100, mostMs: 2_000 },
        attemptTimeoutMs: Infinity, nonIdempotent: false,
      },
      hedge: undefined,
      budget: { percent: 20, minPerSecond: 10 },
      replay: { maxBytes: 1_048_576, maxBytesOfAll: 67_108_864, room },
    })
  })

  test('every setting arrives', () => {
    const { tries } = policyOf(`retry-policy { max-attempts 5; retryable-status-codes 502 503; backoff "10ms"; max-backoff "1s"; per-attempt-timeout "2s"; retry-non-idempotent #true
      budget { percent 5; min-per-second 1 } }`, 'max-body-buffer "4KiB"; max-body-buffer-total "1MiB"')
    assert.deepEqual(tries, {
      retry: {
        maxAttempts: 5, on: new Set(['connect-failure', 'reset', 'timeout']), statuses: new Set([502, 503]), backOff: { firstMs: 10, mostMs: 1_000 },
        attemptTimeoutMs: 2_000, nonIdempotent: true,
      },
      hedge: undefined,
      budget: { percent: 5, minPerSecond: 1 },
      replay: { maxBytes: 4_096, maxBytesOfAll: 1_048_576, room },
    })
  })

  test('words of retry-on stand for failures and statuses', () => {
    assert.deepEqual([...retryOf('retry-on "connection-error"').on], ['connect-failure'])
    assert.deepEqual([...retryOf('retry-on "timeout"').on], ['connect-failure', 'timeout'])
    const gateway = retryOf('retry-on "gateway-error" 429')
    assert.deepEqual([[...gateway.on], [...gateway.statuses]], [['connect-failure', 'reset', 'timeout'], [502, 503, 504, 429]])
    const server = retryOf('retry-on "5xx"')
    assert.deepEqual([server.statuses.has(500), server.statuses.has(599), server.statuses.has(499)], [true, true, false])
    assert.ok(retryOf('retry-on "grpc-unavailable"; retry-non-idempotent #true').on.has('grpc-unavailable'))
  })

  test('calls of gRPC are POST: a policy that would never retry them says so', () => {
    const wrong = policyOf('retry-policy { retry-on "grpc-unavailable" }').problems
    assert.equal(wrong.length, 1)
    assert.match(wrong[0]!, /calls of gRPC are POST/)
  })
})

test('hedge alone tries as a route without a policy does', () => {
  const { tries } = policyOf('hedge { delay "30ms"; max-attempts 3 }')
  assert.deepEqual([tries?.hedge, tries?.retry.maxAttempts, [...tries?.retry.on ?? []]], [{ delayMs: 30, maxAttempts: 3 }, undefined, ['connect-failure']])
})

describe('time-outs', () => {
  test('those that are written replace the upstream\'s', () => {
    assert.deepEqual(policyOf('policies { timeouts { connect "1s"; first-byte "2s"; read "3s"; write "4s"; request "5s" } }').timeouts, {
      connectTimeoutMs: 1_000, firstByteTimeoutMs: 2_000, readTimeoutMs: 3_000, writeTimeoutMs: 4_000, requestTimeoutMs: 5_000,
    })
    assert.deepEqual(policyOf('policies { timeouts { read 7 } }').timeouts, { readTimeoutMs: 7_000 })
  })

  test('filters say some, later ones more than earlier ones, and the route itself most of all', () => {
    assert.deepEqual(policyOf('filters "patient"').timeouts, { connectTimeoutMs: 1_000, readTimeoutMs: 120_000, requestTimeoutMs: 300_000 })
    assert.equal(policyOf('filters "patient" "hasty"').timeouts?.readTimeoutMs, 1_000)
    const both = policyOf('filters "patient"; policies { timeouts { request "7s" } }').timeouts
    assert.deepEqual(both, { connectTimeoutMs: 1_000, readTimeoutMs: 120_000, requestTimeoutMs: 7_000 })
  })

  test('policies { timeout } is that of the whole exchange, and may not say something else than it', () => {
    for (const same of ['timeout "30s"', 'timeout-secs 30', 'timeout "30s"; timeouts { request "30s" }']) {
      assert.deepEqual(policyOf(`policies { ${same} }`).timeouts, { requestTimeoutMs: 30_000 }, same)
    }
    assert.throws(() => policyOf('policies { timeout "30s"; timeouts { request "20s" } }'), /say different things/)
  })
})
