import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkText, isWithin, leadsTo, limitsIn, scopesAround } from '../../../config/sentinel/index.ts'

const { config } = checkText(`
listeners { listener "main" { address "127.0.0.1:8080" }; listener "shop" { address "127.0.0.1:8081"; namespace "shop" } }
limits { max-body-size "1KiB"; max-agent-body "2KiB"; max-in-flight-requests 100; max-agent-queue-depth 7 }
routes { route "home" { matches { path-prefix "/" }; respond 200 "ok" } }
agents { agent "outer" type="waf" }
namespace "shop" {
    limits { max-body-size "2KiB"; max-agent-body "3KiB"; max-in-flight-requests 10 }
    agents { agent "waf" }
    routes { route "cart" { matches { path-prefix "/cart" }; respond 200 "ok" } }
    service "pay" {
        limits { max-agent-body "4KiB"; max-in-flight-requests 5 }
        agents { agent "denylist" { max-request-body-size "9KiB" } }
        routes { route "pay" { matches { path-prefix "/pay" }; filters { filter "slow" { type "rate-limit"; max-rps 5 } }; respond 200 "ok" } }
    }
}
`, 'sentinel.kdl', { env: {} })
assert.ok(config)

test('of limits of each thing the nearest counts; those of all together stay what they are around', () => {
  const of = (scope: string): number[] => {
    const { maxBodySize, maxAgentBody, maxInFlightRequests } = limitsIn(scope, config)
    return [maxBodySize / 1024, maxAgentBody / 1024, maxInFlightRequests]
  }
  assert.deepEqual(['', 'shop', 'shop:pay', 'elsewhere'].map(of), [[1, 2, 100], [2, 3, 100], [2, 4, 100], [1, 2, 100]])
  assert.deepEqual(scopesAround('shop:pay', config).map(({ id, limits }) => [id, limits?.maxInFlightRequests]), [['shop', 10], ['shop:pay', 5]])
  assert.deepEqual(config.agents.map(({ id, type, maxRequestBodySize, maxResponseBodySize, maxQueuedCalls }) => [id, type, maxRequestBodySize / 1024, maxResponseBodySize / 1024, maxQueuedCalls]), [
    ['outer', 'waf', 2, 2, 7], ['shop:waf', 'waf', 3, 3, 7], ['shop:pay:denylist', 'denylist', 9, 4, 7],
  ])
})

test('everything has its full name, filters that a route declares itself as well', () => {
  assert.deepEqual(config.routes.map(({ id, scope, filters }) => [id, scope, filters]), [
    ['home', '', []], ['shop:cart', 'shop', []], ['shop:pay:pay', 'shop:pay', ['shop:pay:pay/slow']],
  ])
  assert.deepEqual(config.filters.map(({ id, scope }) => [id, scope]), [['shop:pay:pay/slow', 'shop:pay']])
  assert.deepEqual(config.guardAgents, ['outer', 'shop:waf', 'shop:pay:denylist'])
})

test('a name that only begins like another is another one', () => {
  assert.deepEqual([isWithin('shop:pay', 'shop'), isWithin('shop', ''), isWithin('shopping', 'shop'), isWithin('shop', 'shop:pay')], [true, true, false, false])
  assert.deepEqual([leadsTo({ namespace: undefined }, { scope: 'shop' }), leadsTo({ namespace: 'shop' }, { scope: '' }), leadsTo({ namespace: 'shop' }, { scope: 'shop:pay' })], [false, false, true])
})

test('a thing outside of namespaces may have a name with ":", as long as no namespace has it', () => {
  const outside = (more: string): ReturnType<typeof checkText> => checkText(`listeners { listener "main" { address "127.0.0.1:8080" } }
routes { route "all" { matches { path-prefix "/" }; upstream "shop:app" } }
upstreams { upstream "shop:app" { target "127.0.0.1:9" } }
${more}`, 'sentinel.kdl', { env: {} })
  assert.equal(outside('').config?.upstreams[0]?.scope, '')
  assert.match(outside('namespace "shop" { upstreams { upstream "app" { target "127.0.0.1:8" } } }').problems.map(({ message }) => message).join(), /two upstreams named/)
})
