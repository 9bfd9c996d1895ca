import { strict as assert } from 'node:assert'
import { describe, test } from 'node:test'
import type { Loaded, SentinelConfig } from '../../../config/sentinel/index.ts'
import { checkText, printProblems } from '../../../config/sentinel/index.ts'
import { specificity as rank } from '../../../config/sentinel/unreachable.ts'
import { specificity } from '../../../proxy/routing/match.ts'

const around = `listeners { listener "web" { address "127.0.0.1:8080" } }
upstreams { upstream "app" { target "127.0.0.1:3000" }; upstream "other" { target "127.0.0.1:3001" } }
agents { agent "list" type="denylist" { mode "monitor" } }
`

function check (text: string): Loaded {
  return checkText(text, '/etc/sentinel/sentinel.kdl', { env: {}, textOnly: true })
}

function configOf (text: string): SentinelConfig {
  const { config, problems, sources } = check(text)
  assert.ok(config !== undefined, printProblems(problems, sources))
  return config
}

/** One route with an upstream and conditions, and `content`. */
function route (content: string): string {
  return `${around}routes { route "r" { matches { path-prefix "/" }; upstream "app"; ${content} } }`
}

function errorsOf (text: string): string[] {
  return check(text).problems.filter(({ severity }) => severity === 'error').map(({ message }) => message)
}

/** Codes of the warnings that are not about things unbuilt or unused. */
function warningsOf (text: string): string[] {
  return check(text).problems.filter(({ severity, message }) => severity === 'warning' && !/no route uses/.test(message)).map(({ message }) => message)
}

describe('spellings of existing files', () => {
  const accepted = [
    'service-type "web"', 'service-type "API"', 'service-type "inference"',
    'retry-policy { max-attempts 3; timeout-ms 5000; backoff-base-ms 100; backoff-max-ms 2000; retryable-status-codes 502 503 }',
    'retry-policy { max-attempts 2; backoff-ms 50; retry-on "connect-failure" "5xx" 503 }',
    'policies { timeout-secs 30; max-body-size "10MB"; failure-mode "closed"; buffer-requests #true; buffer-responses #false; timeouts { request-secs 30 }; rewrite-path "/index.html" }',
    'policies { rate-limit { requests-per-second 100; burst 20; key "client_ip" } }', 'policies { rate-limit { requests-per-second 5; key "header" "Authorization"; backend "distributed" } }',
    'policies { rate-limit { requests-per-second 5; key "header:X-API-Key" } }', 'policies { security-headers { X-Frame-Options "DENY" }; require-headers "X-Api-Key"; global-rate-limit { requests-per-second 9 } }',
    'policies { request-headers { rename { Old "New" }; set { "X-A" "1" }; add { X-B "2" }; remove "A" "B"; remove "C" } }', 'policies { response-headers { set "X-A" "1"; set "X-B" "2" } }',
    'policies { cache { enabled #true; ttl-secs 300; max-cacheable-size-bytes 10485760; respect-cache-control #false; vary-query-params "page" }; agents "list" }',
    'timeout-secs 30', 'timeout-ms 5000', 'timeout "5s"', 'failure-mode "open"', 'max-body-size-bytes 1024',
    'websocket #true', 'websocket #false', 'websocket { enabled #true; ping-interval-secs 30; ping-timeout-secs 10; max-message-size-bytes 65536; max-connections 1000; max-connections-per-ip 10; idle-timeout-secs 300 }',
    'websocket-inspection #true; waf-enabled #true; strip-prefix "/api"; hedge { delay-ms 50 }; wasm-agents "a"',
    'circuit-breaker { failure-threshold 10; success-threshold 2; timeout-seconds 60; half-open-max-requests 1 }',
    'error-pages { default-format "json"; include-stack-trace #false; template-dir "/p"; pages { "404" { format "html"; template "/p/404.html" }; "503" { message "soon"; headers { Retry-After "60" } } } }',
    'shadow { upstream "other"; percentage 10; sample-header "X-Debug" "true"; timeout-ms 5000; buffer-body #false }', 'mirror { upstream "other"; percentage "12.5" }', 'shadow { upstream "other"; percentage 10.5; max-body-bytes 1048576 }',
    'cache { enabled #true; default-ttl-secs 60; max-size-bytes 1048576; stale-while-revalidate-secs 60; stale-if-error-secs 300; exclude-extensions "php"; exclude-paths "/wp-admin/**" "/login"; cacheable-status-codes 200 404; cache-private #true }',
    'api-schema { schema-file "/x/api.yaml"; validate-requests #true; validate-responses #false; strict-mode #true }', 'api-schema { request-schema { type "object"; required "a" "b" }; response-schema { type "object" } }',
    'inference { provider "open_ai"; model-header "X-Model"; rate-limit { tokens-per-minute 10; requests-per-minute 5; burst-tokens 20; estimation-method "characters"; key "client_ip" }; routing { strategy "least_latency"; queue-depth-header "X-Queue" } }',
    'inference { budget { period "monthly"; limit 10; key "header:X-Org-Id"; alert-thresholds 0.8 0.95; enforce #true; rollover #false; burst-allowance 0.1; max-tenants 5 } }', 'inference { budget { period "3600"; limit 10 } }',
    'inference { budget { daily-limit 10; monthly-limit 100; alert-threshold 0.9 } }',
    'inference { cost-attribution { default-input-cost 1.0; default-output-cost 2.0; currency "USD"; pricing { model "gpt-4*" { input-cost-per-million 30.0; output-cost-per-million 60.0; currency "EUR" } } } }',
    'inference { cost-attribution { models { model "gpt-4" { input-cost-per-1k 0.03; output-cost-per-1k 0.06 } } } }', 'inference { cost-attribution { model "gpt-4" { input-cost-per-1k 0.03; output-cost-per-1k 0.06 } } }',
    'inference { model-routing { model "gpt-4*" upstream="app"; model "claude-*" upstream="other" provider="anthropic"; default-upstream "app"; model-header "X-Model" } }',
    'inference { model-routing { mappings { mapping "llama*" { upstream "app"; weight 3 } } } }', 'inference { model-routing { route "llama*" { upstream "app" } } }',
    'inference { guardrails { prompt-injection { enabled #true; agent "list"; action "warn"; block-status 403; block-message "no"; timeout-ms 500; failure-mode "open" }; pii-detection { agent "list"; action "redact"; detect-types "ssn" "credit_card" } } }',
    'inference { streaming #true; token-estimation "chars"; priority "high"; queue-timeout-ms 500; fallback { enabled #true; upstreams "app" "other"; model-mapping { "gpt-4" "claude-3" } } }',
    'fallback { max-attempts 2; triggers { on-health-failure #true; on-budget-exhausted #true; on-latency-threshold-ms 5000; on-error-codes 429 503; on-connection-error #true }; fallback-upstream "other" { provider "anthropic"; skip-if-unhealthy #true; model-mapping { "gpt-4" "claude-3" } } }',
    'fallback { upstream "other"; model-mapping { "a" "b" } }', 'fallback { fallback-upstream "other" { model-mapping "a" "b" "c" "d" } }',
  ]
  for (const content of accepted) test(content, () => assert.deepEqual(errorsOf(route(content)), []))

  const services = ['service-type "static" { root "/var/www"; compression #true; cache-control "public"; fallback "/index.html" }', 'static-files { root "/w"; index "index.html"; directory-listing #true; compress #true; compression-level 6; compression-types "text/html"; mime-types { ".wasm" "application/wasm" }; spa-fallback "index.html" }',
    'service-type "builtin"; builtin-handler "cache_purge"', 'builtin-handler "not_found"', 'respond 200 "OK"', 'respond 204', 'inference { model-routing { default-upstream "app" } }']
  for (const content of services) test(content, () => assert.deepEqual(errorsOf(`${around}routes { route "r" { match path="/"; ${content} } }`), []))

  const wholes = ['cache { enabled #true; backend "hybrid"; max-size 104857600; eviction-limit 104857600; lock-timeout 10; disk-path "/c"; disk-shards 16; disk-max-size 1; status-header #true; status-header-name "my-cdn" }',
    'cache { backend "memory" { max-size-mb 512 } }', 'cache { lock-timeout-secs 5; max-size-bytes 5 }']
  for (const content of wholes) test(content, () => assert.deepEqual(errorsOf(`${route('')}\n${content}`), []))
})

describe('older forms that hold something unknown', () => {
  const mistakes = {
    'cache { backend "disk" { path "/c"; dsik-shards 4 } }': /'backend' takes no block/,
    'waf { ruleset { exclusions { exclusoin "a" } } }': /'exclusions' holds only 'exclusion'/,
    'waf { exclusions "a" }': /takes a block of 'exclusion', no values/,
    'waf { body-inspection { content-types { "text/html" #true } } }': /'content-types' takes no block/,
  }
  for (const [content, wanted] of Object.entries(mistakes)) test(content, () => assert.match(errorsOf(`${route('')}\n${content}`).join('\n'), wanted))

  const inRoute = {
    'fallback { upstream }': /needs 'upstream'/,
    'fallback { upstream "other" { provdier "openai" } }': /unknown setting 'provdier'/,
    'fallback { model-mapping "a" "b" "c" }': /takes a block, no values/,
    'back-to upstream="app"': /unknown setting 'back-to'/,
    'builtin "health"': /unknown setting 'builtin'/,
    'policies { response-headers { set "A" "b" "c" } }': /takes a block, no values/,
    'policies { security-headers "DENY" }': /takes a block, no values/,
    'policies { rate-limit { requests-per-second 1; key "cookie" "id" } }': /'key' takes one value/,
    'error-pages { pages "404" { } }': /takes a block, no values/,
    'service-type "static" { root "/w"; indx "a" }': /unknown setting 'indx'/,
    'filters { filtre "a" { agent "list" } }': /'filters' holds only 'filter'/,
    'filters { filter { agent "list" } }': /this filter has no name/,
  }
  for (const [content, wanted] of Object.entries(inRoute)) test(content, () => assert.match(errorsOf(route(content)).join('\n'), wanted))

  test('what is switched off is no news', () => {
    assert.deepEqual(warningsOf(route('agents "list"; websocket #false; websocket-inspection #false; policies { buffer-requests #false }')), [])
  })

  test('messages are shown to somebody, of a route that has some', () => {
    assert.match(warningsOf(route('agents "list"; websocket-inspection #true')).join(''), /says nothing: the route has no WebSockets/)
    assert.match(warningsOf(route('agents "list"; websocket { enabled #false; inspection }')).join(''), /says nothing: the route has no WebSockets/)
    for (const fine of ['websocket #true; websocket-inspection #true', 'websocket #true; websocket-inspection', 'websocket { inspection }', 'websocket { inspection #true; max-message-size "1MiB" }']) {
      assert.deepEqual(warningsOf(route(`agents "list"; ${fine}`)), [], fine)
    }
    const withoutAgents = around.replace(/agents \{.*\n/, '')
    assert.match(warningsOf(`${withoutAgents}routes { route "r" { matches { path-prefix "/" }; upstream "app"; websocket { inspection } } }`).join(''), /shows messages to nobody/)
  })

  test('an agent that lists messages is asked by a route that shows them, and by no other with WebSockets', () => {
    const listing = (content: string): string => route(content).replace('mode "monitor"', 'events "request_headers" "websocket_frame"')
    assert.deepEqual(warningsOf(listing('agents "list"; websocket #true; websocket-inspection #true')), [])
    assert.match(warningsOf(listing('agents "list"; websocket #true')).join(''), /agent 'list' lists websocket_message .* no route that asks it looks into WebSockets: it is never shown a message/)
    const other = 'route "s" { matches { path-prefix "/s" }; upstream "app"; agents "list"; websocket #true }'
    const two = listing('agents "list"; websocket #true; websocket-inspection #true').replace(/ \}$/, `; ${other} }`)
    assert.match(warningsOf(two).join(''), /messages of WebSockets on route 's' are not shown to agent 'list'/)
  })
})

describe('conditions', () => {
  const matchesOf = (content: string) => configOf(`${around}routes { route "r" { ${content}; upstream "app" } }`).routes[0]?.matches

  test('stand in their block, in one of another name, as its properties, or right in the route', () => {
    for (const spelling of ['matches { path "/a"; method "GET" }', 'match { path "/a"; method "GET" }', 'match path="/a" method="GET"', 'path "/a"; method "GET"', 'path "/a"; matches { method "GET" }', 'match path="/a"; method "GET"']) {
      const found = matchesOf(spelling)
      assert.deepEqual([found?.path, found?.method], [['/a'], ['GET']], spelling)
    }
  })

  test('a header says its name and value in any form, and may be turned round', () => {
    for (const spelling of ['header "X-A" "1"', 'header name="X-A" value="1"', 'header value="1" name="X-A"', 'header "X-A" value="1"', 'header { name "X-A"; value "1" }']) assert.deepEqual(matchesOf(spelling)?.header, [{ name: 'X-A', value: '1' }], spelling)
    assert.deepEqual(matchesOf('header "X-A" invert=#true; query-param "q" "1" invert=#false'), {
      path: [], pathPrefix: [], pathRegex: [], host: [], hostRegex: [], method: [], header: [{ name: 'X-A', value: undefined, invert: true }], queryParam: [{ name: 'q', value: '1' }],
    })
  })

  test('an expression among the hosts makes expressions of all of them, each of the whole host', () => {
    const found = matchesOf('matches { host "[a-z]{2}.example.com" "shop.example.org" "*.example.net" }')
    assert.deepEqual(found?.host, [])
    const takes = (host: string) => found?.hostRegex.some(pattern => pattern.test(host))
    assert.deepEqual(['de.example.com', 'shop.example.org', 'a.b.example.net'].map(takes), [true, true, true])
    assert.deepEqual(['deu.example.com', 'de.example.com.evil.test', 'shopxexample.org', 'example.net'].map(takes), [false, false, false, false])
  })

  test('that no request can meet at once are an error', () => {
    for (const content of ['path "/a"; path-prefix "/b"', 'path "/ab"; path-prefix "/a"', 'path "/a"; path-regex "^/b"', 'host "a.test"; host-regex "^b"']) {
      assert.match(errorsOf(`${around}routes { route "r" { matches { ${content} }; upstream "app" } }`)[0] ?? '', /can never match/, content)
    }
    for (const content of ['path "/a" "/b/c"; path-prefix "/b"', 'path "/a"; path-prefix "/a/"', 'host "*.a.test"; host-regex "^b"']) {
      assert.deepEqual(errorsOf(`${around}routes { route "r" { matches { ${content} }; upstream "app" } }`), [], content)
    }
  })
})

describe('filters of a route', () => {
  const inline = `${around}routes {
    route "a" { matches { path "/a" }; upstream "app"; filters { filter "gate" { agent "list"; failure-mode "open"; timeout-ms 5 } } }
    route "b" { matches { path "/b" }; upstream "app"; filters "named"; filters { filter "gate" { type "agent"; agent "list" } } }
}
filters { filter "named" { type "agent"; agent "list" } }`

  test('are filters like any other, with a name that only they have, in the order of the file', () => {
    const { routes, filters, guardAgents } = configOf(inline)
    assert.deepEqual(routes.map(one => one.filters), [['a/gate'], ['named', 'b/gate']])
    assert.deepEqual(filters.map(filter => [filter.id, filter.type, 'agents' in filter ? filter.agents : undefined]), [['named', 'agent', ['list']], ['a/gate', 'agent', ['list']], ['b/gate', 'agent', ['list']]])
    assert.deepEqual(guardAgents, [])
    const [, gate] = filters
    assert.deepEqual(gate?.type === 'agent' ? [gate.failureMode, gate.timeout] : undefined, ['open', 5])
  })

  test('may be named by another route', () => {
    assert.deepEqual(errorsOf(inline.replace('filters "named"', 'filters "named" "a/gate"')), [])
  })
})

describe('a service', () => {
  const of = (content: string) => errorsOf(`${around}routes { route "r" { matches { path "/a" }; ${content} } }`)

  test('must be what its type says', () => {
    assert.match(of('service-type "static"')[0] ?? '', /needs 'static-files'/)
    assert.match(of('service-type "builtin"; upstream "app"')[0] ?? '', /needs 'builtin-handler'/)
    assert.match(of('service-type "api"; static-files { root "/w" }')[0] ?? '', /is of type 'api', but has 'static-files'/)
    assert.match(of('builtin-handler "health"; respond 200')[0] ?? '', /has both 'builtin-handler' and 'respond'/)
    assert.match(of('upstream "app"; static-files { root "/w" }')[0] ?? '', /has both an upstream and 'static-files'/)
    assert.match(of('inference { provider "openai" }')[0] ?? '', /has nothing that answers/)
  })

  test('a type that fits says nothing new, and is no news', () => {
    for (const word of ['web', 'api', 'inference']) assert.deepEqual(warningsOf(route(`service-type "${word}"`)), [])
  })
})

describe('the firewall', () => {
  const wafOf = (content: string) => {
    const { agents, guardAgents } = configOf(`${route('agents "list"')}\nwaf ${content}`)
    const [agent] = agents
    return agent?.id === 'waf' ? { type: agent.type, mode: agent.mode, failureMode: agent.failureMode, most: agent.maxRequestBodySize, config: agent.config?.json, guards: guardAgents } : undefined
  }

  test('is an agent of its type before every route, which refuses unless it is told otherwise', () => {
    const plain = { type: 'waf', mode: 'enforce', failureMode: 'closed', most: 1_048_576, config: undefined, guards: ['waf'] }
    for (const content of ['', '{ }', '{ mode "prevention" }', '{ mode "BLOCK" }', 'mode="prevent"']) assert.deepEqual(wafOf(content), plain, content)
    for (const content of ['{ mode "detection" }', '{ mode "detect" }']) assert.deepEqual(wafOf(content), { ...plain, mode: 'monitor' }, content)
    assert.equal(wafOf('{ mode "off"; ruleset { paranoia-level 2 } }'), undefined)
  })

  test('hands its settings on', () => {
    const content = '{ ruleset { paranoia-level 2; anomaly-threshold 7; exclusion { rule-ids "a-b" "c-d" }; exclusion "e-f" }; exclusions { exclusion { rule-ids "g-h"; scope "global" } }; body-inspection { inspect-request-body #true; max-body-inspection-bytes 2048 } }'
    const found = wafOf(content)
    assert.deepEqual([found?.most, found?.config], [2048, {
      'paranoia-level': 2, threshold: 7, 'body-inspection': true, 'max-body-size': 2048, 'rules-disabled': ['a-b', 'c-d', 'g-h', 'e-f'],
    }])
  })

  test('knows every form of an exclusion, and says which rules it does not know', () => {
    for (const exclusion of ['exclusion "1" { scope "path=/x" }', 'exclusion 920350']) {
      assert.equal(wafOf(`{ ruleset { ${exclusion} } }`)?.config, undefined, exclusion)
      assert.equal(warningsOf(`${route('agents "list"')}\nwaf { ruleset { ${exclusion} } }`).length > 0, true, exclusion)
    }
    assert.deepEqual(wafOf('{ ruleset { exclusion "a" scope="host=h.test" } }')?.config, { exclusion: { rules: 'a', host: 'h.test' } })
    assert.deepEqual(wafOf('{ ruleset { exclusions { exclusion "a" "b" { scope "path" "/x" } } } }')?.config, { exclusion: { rules: ['a', 'b'], path: '/x' } })
  })

  test('a setting that the agent refuses is found in the block', () => {
    const [agent] = configOf(`${route('agents "list"')}\nwaf {\n  ruleset {\n    exclusion {\n      rule-ids "nosuch"\n    }\n  }\n}`).agents
    assert.equal(agent?.config?.positionOf(['rules-disabled', '0']).line, 8)
  })
})

describe('routes that never get a request', () => {
  const lost = (...routes: readonly string[]) => warningsOf(`${around}agents { agent "waf" }\nroutes {\n${routes.map((content, index) => `route "r${index}" { upstream "app"; ${content} }`).join('\n')}\n}`)
    .filter(message => message.includes('never gets')).map(message => message.replace(/route '(\w+)' never gets a request: route '(\w+)'.*/, '$1<$2'))

  test('are those behind the same conditions or plainly wider ones', () => {
    assert.deepEqual(lost('matches { path "/a" }', 'matches { path "/a" }'), ['r1<r0'])
    assert.deepEqual(lost('matches { path-prefix "/api/" }', 'matches { path-prefix "/api" }'), ['r1<r0'])
    assert.deepEqual(lost('matches { path "/a/b" }', 'priority "high"; matches { path-prefix "/a" }'), ['r0<r1'])
    assert.deepEqual(lost('matches { host "x.a.test"; path "/a" }', 'priority 60; matches { host "*.a.test" }'), ['r0<r1'])
    assert.deepEqual(lost('matches { path "/a"; method "GET" }', 'priority 60; matches { path-prefix "/"; method "GET" "POST" }'), ['r0<r1'])
    assert.deepEqual(lost('matches { header "x" "1"; header "y"; path "/a" }', 'priority 60; matches { header "X" "1"; header "Y" }'), ['r0<r1'])
    assert.deepEqual(lost('matches { path-regex "^/a" }', 'matches { path-regex "^/a" }'), ['r1<r0'])
    assert.deepEqual(lost('priority "low"', 'priority "low"'), ['r1<r0'])
  })

  test('are not those that a request can still reach', () => {
    assert.deepEqual(lost('matches { path-prefix "/" }', 'matches { path-prefix "/a" }', 'matches { path "/a" }', 'priority "low"'), [])
    assert.deepEqual(lost('priority "high"; matches { path-prefix "/a" }', 'matches { path "/ab" }'), [])
    assert.deepEqual(lost('priority "high"; matches { path-prefix "/a"; method "GET" }', 'matches { path-prefix "/a"; method "GET" "POST" }'), [])
    assert.deepEqual(lost('priority "high"; matches { path-prefix "/a"; header "x" "1" }', 'matches { path-prefix "/a"; header "x" "1"; header "x" "2" }'), [])
    assert.deepEqual(lost('priority "high"; matches { path-prefix "/a"; header "x" invert=#true }', 'matches { path-prefix "/a"; header "x" }'), [])
    assert.deepEqual(lost('priority "high"; matches { host "*.a.test" }', 'matches { host "a.test" }', 'matches { host "*.test" }'), [])
    assert.deepEqual(lost('priority "high"; matches { path "/a"; path-prefix "/a" }', 'matches { path-prefix "/a" }'), [])
    assert.deepEqual(lost('enabled #false; priority "high"; matches { path-prefix "/" }', 'matches { path "/a" }'), [])
  })

  test('a prefix that every path has counts as no condition: it goes before routes of a host', () => {
    assert.deepEqual(lost('matches { path-prefix "/" }', 'matches { host "a.test" }', 'matches { method "GET" }'), ['r1<r0', 'r2<r0'])
    assert.deepEqual(lost('matches { path-prefix "/x" "/"; host "*.b.test" }', 'matches { host "a.b.test" }', 'matches { host "c.test" }'), ['r1<r0'])
    assert.deepEqual(lost('matches { path-prefix "/" }', 'matches { host "a.test"; path-prefix "/" }', 'matches { host "b.test" }; priority "high"'), [])
  })

  test('the order is that of the router', () => {
    const { routes } = configOf(`${around}routes {
      route "a" { upstream "app"; matches { path "/a" "/bb"; header "x" "1"; query-param "q" } }
      route "b" { upstream "app"; matches { path-prefix "/a" "/bbb/c"; host "a.test" "*.b.test"; method "GET" } }
      route "c" { upstream "app"; matches { path-regex "^/"; host-regex "a"; header "x"; query-param "q" "1" } }
      route "d" { upstream "app"; matches { host "a.test" } }
      route "e" { upstream "app"; priority "low" }
    }`)
    assert.deepEqual(routes.map(one => rank(one.matches)), routes.map(one => specificity(one.matches)))
    assert.equal(new Set(routes.map(one => rank(one.matches))).size, 5)
  })

  test('are found among ten thousand that differ in a value only', () => {
    const routes = Array.from({ length: 10_000 }, (_, index) => `route "r${index}" { matches { path-prefix "/"; header "x" "${index}" }; upstream "app" }`).join('\n')
    const { problems } = check(`${around}routes {\n${routes}\nroute "twice" { matches { path-prefix "/"; header "X" "77" }; upstream "app" }\n}`)
    assert.deepEqual(problems.filter(({ message }) => message.includes('never gets')).map(({ message }) => message), ["route 'twice' never gets a request: route 'r77' goes before it and takes them all"])
  })
})
