// Files of earlier versions: what they write in another shape means what the preferred form means, and what they get wrong is told.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseKdl } from '../../../config/kdl/parse.ts'
import type { Fields, Infer } from '../../../config/schema/field.ts'
import { readFields } from '../../../config/schema/read.ts'
import { Report } from '../../../config/schema/report.ts'
import { agentCircuitBreaker } from '../../../config/sentinel/circuit-breaker.ts'
import { discovery } from '../../../config/sentinel/discovery.ts'
import { country } from '../../../config/sentinel/filter-geo.ts'
import { olderRateLimit, rateLimitFilter } from '../../../config/sentinel/filter-rate-limit.ts'
import { rateKey } from '../../../config/sentinel/rate-key.ts'
import { healthCheck } from '../../../config/sentinel/health-check.ts'
import { checkText } from '../../../config/sentinel/index.ts'
import { loadBalancing } from '../../../config/sentinel/load-balancing.ts'
import { upstreamTls } from '../../../config/sentinel/upstream-tls.ts'

const start = `listeners { listener "web" { address "127.0.0.1:8080" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
`
const app = 'upstreams { upstream "app" { target "127.0.0.1:3000" } }\n'

/** Everything but places. */
function plain (value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (name, member: unknown) => name === 'at' ? undefined : member)) as unknown
}

function errorsIn (text: string): string[] {
  return checkText(text, 'sentinel.kdl', { env: {}, textOnly: true }).problems.filter(({ severity }) => severity === 'error').map(({ message }) => message)
}

function configOf (text: string) {
  const { config } = checkText(text, 'sentinel.kdl', { env: {}, textOnly: true })
  assert.ok(config, errorsIn(text).join('\n'))
  return config
}

/** What fields make of a text: blocks that are not in effect have no value in a configuration, so they are read alone. */
function read<F extends Fields> (fields: F, text: string, options: Parameters<typeof readFields>[4] = {}): Infer<F> {
  const { nodes, problems } = parseKdl(text, 'x')
  assert.deepEqual(problems, [], text)
  const report = new Report()
  const value = readFields(fields, nodes, report, 'x', { textOnly: true, ...options })
  const errors = report.problems.filter(({ severity }) => severity === 'error').map(({ message }) => message)
  assert.ok(value !== undefined && errors.length === 0, `${text}: ${errors.join('; ')}`)
  return value
}

function mistakes (fields: Fields, text: string, options: Parameters<typeof readFields>[4] = {}): string[] {
  const report = new Report()
  readFields(fields, parseKdl(text, 'x').nodes, report, 'x', { textOnly: true, ...options })
  return report.problems.filter(({ severity }) => severity === 'error').map(({ message }) => message)
}

/** All of them give what the first gives. */
function alike<F extends Fields> (fields: F, [first = '', ...others]: readonly string[], options: Parameters<typeof readFields>[4] = {}): Infer<F> {
  const wanted = read(fields, first, options)
  for (const other of others) assert.deepEqual(plain(read(fields, other, options)), plain(wanted), other)
  return wanted
}

describe('upstreams', () => {
  test('a health check in every shape', () => {
    const { healthCheck: found } = alike({ healthCheck }, [
      'health-check { type "http"; path "/h"; expected-status 200; interval "10s"; timeout "2s" }',
      'health-check { type "http" { path "/h"; expected-status 200 }; interval-secs 10; timeout-secs 2 }',
      'health-check type="http" path="/h" expected-status="200" interval-secs=10 timeout-secs=2',
      'health-check { path "/h"; expected-status "200-200"; interval-ms 10000; timeout 2 }',
      'health-check { type "http" { path "/h" expected-status 200 }; interval-secs 10; timeout 2 }',
      'health-check "HTTP" { path "/h"; expected-status "200"; timeout "2s" }',
    ])
    assert.deepEqual([found?.type, found?.path, found?.expectedStatus, found?.interval, found?.timeout], ['http', '/h', [{ from: 200, to: 200 }], 10_000, 2_000])
    assert.deepEqual(read({ healthCheck }, 'health-check { expected-status "2xx, 301" 404 }').healthCheck?.expectedStatus,
      [{ from: 200, to: 299 }, { from: 301, to: 301 }, { from: 404, to: 404 }])
    assert.equal(read({ healthCheck }, 'health-check { interval "5s" }').healthCheck?.type, 'tcp')
    assert.equal(read({ healthCheck }, 'health-check { type "grpc" { service "" } }').healthCheck?.service, '')
  })

  test('a model server is asked in several ways', () => {
    const { healthCheck: found } = read({ healthCheck }, `health-check { type "inference" { endpoint "/v1/models"; expected-models "a" "b"; readiness {
      inference-probe { endpoint "/v1/completions"; model "a"; prompt "."; max-tokens 1; timeout-secs 30; max-latency-ms 500 }
      model-status { endpoint-pattern "/v1/models/{model}/status"; models "a"; expected-status "ready"; status-field "status"; timeout-secs 5 }
      queue-depth { header "x-queue"; degraded-threshold 5; unhealthy-threshold 10; timeout-secs 5 }
      warmth-detection { sample-size 10; cold-threshold-multiplier 2.5; idle-cold-timeout-secs 300; cold-action "mark_degraded" }
    } } }`)
    assert.deepEqual([found?.readiness?.inferenceProbe?.maxLatency, found?.readiness?.warmthDetection?.coldThresholdMultiplier, found?.expectedModels], [500, 2.5, ['a', 'b']])
  })

  test('a circuit breaker takes its time under every name, and nothing else', () => {
    alike({ circuitBreaker: agentCircuitBreaker }, ['circuit-breaker { timeout "30s" }', 'circuit-breaker { timeout-seconds 30 }', 'circuit-breaker { timeout-secs 30 }', 'circuit-breaker { timeout 30 }',
      'circuit-breaker { recovery-timeout-secs 30 }', 'circuit-breaker { reset-timeout-seconds 30 }', 'circuit-breaker {}'])
    for (const wrong of ['timeout-sekonds 30', 'reticulate 1', 'failure-threshold 0', 'success-threshold 99999999999', 'half-open-max-requests "1"', 'failure-threshold']) {
      assert.equal(mistakes({ circuitBreaker: agentCircuitBreaker }, `circuit-breaker { ${wrong} }`).length, 1, wrong)
    }
  })

  test('every word for a balancer that files use is known', () => {
    const known = ['round_robin', 'roundrobin', 'weighted', 'weighted_round_robin', 'weighted-round-robin', 'least_connections', 'least-connections', 'leastconnections', 'random',
      'ip_hash', 'ip-hash', 'iphash', 'consistent_hash', 'consistent-hash', 'consistenthash', 'power_of_two_choices', 'power-of-two-choices', 'p2c', 'adaptive',
      'least_tokens_queued', 'leasttokensqueued', 'least_tokens', 'maglev', 'locality_aware', 'localityaware', 'locality', 'peak_ewma', 'peakewma', 'ewma',
      'deterministic_subset', 'subset', 'subsetting', 'weighted_least_connections', 'weighted_least_conn', 'wlc', 'sticky', 'sticky_session', 'stickysession']
    const acts = known.map((word) => read({ loadBalancing }, `load-balancing "${word}"`).loadBalancing.policy)
    assert.equal(new Set(acts).size, 15)
    for (const [i, word] of known.entries()) assert.equal(acts[i] === 'round-robin', word.startsWith('round'), word)
    read({ loadBalancing }, 'load-balancing "sticky" { cookie-name "S"; cookie-ttl 3600; cookie-path "/"; cookie-secure #true; cookie-same-site "Lax"; fallback "ip_hash" }')
    read({ loadBalancing }, 'load-balancer "sticky" { cookie-ttl "1d"; fallback "least_connections" }')
    for (const key of ['client-ip', 'path', 'header:X-Tenant', 'cookie:sid', 'query:user']) read({ loadBalancing }, `load-balancing "consistent_hash" { key "${key}" }`)
    read({ loadBalancing }, 'load-balancing "sticky" { key "header:X-Tenant"; fallback "maglev"; cookie-secret "sixteen letters!" }')
    for (const wrong of [
      '"random" { key "path" }', '"sticky" { key "path" }', '"round_robin" { subset-size 3 }', '"maglev" { cookie-secret "sixteen letters!" }', '"sticky" { cookie-secret "short" }',
      '"sticky" { cookie-same-site "none"; cookie-secure #false }',
    ]) assert.equal(mistakes({ loadBalancing }, `load-balancing ${wrong}`).length, 1, wrong)
  })

  test('times of an upstream stand together, wherever they were written', () => {
    const timeoutsOf = (content: string) => configOf(`${start}upstreams { upstream "app" { target "a:1"; ${content} } }`).upstreams[0]?.timeouts
    assert.equal(timeoutsOf('connect-timeout-ms 500')?.connect, 500)
    assert.deepEqual(timeoutsOf('timeout-secs 30; timeouts { read-secs 7 }; connect-timeout-ms 500'), { connect: 500, firstByte: undefined, read: 7_000, write: 30_000, request: 30_000 })
    assert.deepEqual(timeoutsOf('timeouts { connect 5; read "1m"; write-secs 9; request-secs 10 }'), { connect: 5_000, firstByte: undefined, read: 60_000, write: 9_000, request: 10_000 })
    const twice = errorsIn(`${start}upstreams { upstream "app" { target "a:1"; connect-timeout-ms 500; timeouts { connect "1s" } } }`)
    assert.deepEqual(twice, ['\'connect\' of \'timeouts\' of upstream \'app\' is given twice (as \'connect\' and as \'connect-ms\')'])
  })

  test('TLS is switched off, and verification turned round, as the words say', () => {
    const tlsOf = (content: string) => read({ tls: upstreamTls }, `tls { ${content} }`).tls
    assert.equal(tlsOf('enabled #false'), undefined)
    assert.equal(tlsOf('')?.insecureSkipVerify, false)
    for (const [content, skips] of [['verify #true', false], ['verify-peer #true', false], ['verify #false', true], ['verify-peer #false', true], ['insecure-skip-verify #true', true], ['verify', false]] as const) {
      assert.equal(tlsOf(content)?.insecureSkipVerify, skips, content)
    }
    assert.equal(mistakes({ tls: upstreamTls }, 'tls { verify #true; insecure-skip-verify #true }').length, 1)
    const fromOutside = checkText(`${start}upstreams { upstream "app" { target "a:1"; tls { verify "\${VERIFY}" } } }`, 'x.kdl', { env: { VERIFY: 'false' } })
    assert.equal(fromOutside.config?.upstreams[0]?.tls?.insecureSkipVerify, true)
  })

  test('targets are found by asking, in five ways', () => {
    for (const content of ['"dns" { hostname "a.internal"; port 80; refresh-interval 30 }', '"consul" { address "http://consul:8500"; service "api"; datacenter "eu"; only-passing #true; tag "v2"; refresh-interval "10s" }',
      '"kubernetes" { namespace "default"; service "api"; port-name "http"; refresh-interval 10; kubeconfig "~/.kube/config" }', '"file" { path "/etc/backends.txt"; watch-interval 5 }',
      '"static" { backends "a:1" "b:2" }', 'kind="dns" hostname="a" port=80', '"docker" { service "web" }', '"docker" { address "unix:///run/docker.sock"; network "front" }',
      '"dns" { hostname "_http._tcp.a.internal"; resolver "10.0.0.2" "[::1]:5353" }']) {
      read({ discovery }, `discovery ${content}`)
      assert.deepEqual(errorsIn(`${start}upstreams { upstream "app" { discovery ${content} } }`), [], content)
    }
    for (const content of ['"dns" { hostname "a" }', '"consul" { service "api" }', '"file" { path "/x"; port 1 }', '"static"', '"etcd"', '"dns" { hostname "*.a"; port 1 }', '"dns" { hostname "_a._tcp.b"; port 1 }', '"dns" { hostname "a"; port 1; resolver "ns1.example" }']) {
      assert.equal(mistakes({ discovery }, `discovery ${content}`).length, 1, content)
    }
  })

  test('a target says more about itself', () => {
    configOf(`${start}upstreams { upstream "app" { target "a:1" { weight 2; max-requests 100; priority 1; backup; zone "eu"; metadata { zone "eu"; cores 4; spot #true } }
      target address="b:1"; targets { target { address "c:1" }; target "d:1" }; slow-start { enabled #true; duration-secs 60 }; connection-draining { enabled #true; timeout-secs 30 }
      http-version { min-version "1.1"; max-version 2; h2-ping-interval-secs 30; max-h2-streams 50 }
      connection-pool { max-connections 10; max-idle-connections 5; max-lifetime-secs 300; idle-timeout 60 } } }`)
  })
})

describe('agents', () => {
  const transportOf = (spelling: string) => configOf(`${start}${app}agents { agent "x" type="auth" { ${spelling}; managed #false } }`).agents[0]?.transport

  test('every spelling of an address with TLS means the same', () => {
    const spellings = ['grpc "https://h:1" { ca-cert "/ca.pem" }', 'grpc "h:1" { ca-cert "/ca.pem" }', 'grpc "h:1" { tls; ca-cert "/ca.pem" }', 'grpc "h:1" { tls #true; ca-cert "/ca.pem" }',
      'grpc "h:1" { tls { ca-cert "/ca.pem" } }', 'grpc { address "https://h:1/"; ca-cert "/ca.pem" }', 'grpc "h:1"; tls { ca-cert "/ca.pem" }', 'tls { ca-file "/ca.pem" }; grpc "https://h:1"',
      'transport "grpc" { address "h:1"; tls #true; ca-cert "/ca.pem" }', 'transport "grpc" { url "https://h:1"; ca-cert "/ca.pem" }', 'transport type="grpc" address="h:1" ca-cert="/ca.pem"',
      'endpoint "grpcs://h:1" { ca-cert "/ca.pem" }', 'endpoint "https://h:1"; tls { ca-cert "/ca.pem" }', 'http "https://h:1/agent" { ca-cert "/ca.pem" }', 'http url="https://h:1" ca-cert="/ca.pem"']
    for (const spelling of spellings) {
      const transport = transportOf(spelling)
      assert.ok(transport?.kind === 'grpc', spelling)
      assert.deepEqual([transport.address.host, transport.address.port, transport.tls?.caCert, transport.tls?.insecureSkipVerify], ['h', 1, '/ca.pem', false], spelling)
    }
    for (const spelling of ['grpc "h:1"', 'grpc "http://h:1"', 'grpc "h:1" { tls #false }', 'http "http://h:1"', 'endpoint "h:1"']) {
      const transport = transportOf(spelling)
      assert.ok(transport?.kind === 'grpc' && transport.tls === undefined, spelling)
    }
  })

  test('two transports stay an error in every spelling', () => {
    for (const two of ['unix-socket "/a"; grpc "h:1"', 'unix-socket "/a"; transport "unix" { path "/b" }', 'endpoint "unix:///a"; transport "grpc" { address "h:1" }', 'http "h:1"; grpc "h:1"', 'socket "/a"; endpoint "unix:/b"']) {
      assert.equal(errorsIn(`${start}${app}agents { agent "x" type="auth" { ${two} } }`).length, 1, two)
    }
  })

  test('the settings of a process come together in restart', () => {
    const restartOf = (content: string) => configOf(`${start}${app}agents { agent "x" { command "/bin/x"; ${content} } }`).agents[0]?.restart
    const wanted = { policy: 'on-failure', initialDelay: 2_000, maxDelay: 10_000, maxRestarts: 5, whenSilent: 30_000 }
    assert.deepEqual(restartOf('restart { policy "on-failure"; initial-delay "2s"; max-restarts 5 }'), wanted)
    assert.deepEqual(restartOf('restart-policy "on_failure"; restart-delay-ms 2000; max-restarts 5'), wanted)
    assert.deepEqual(restartOf('max-restarts 5; restart { policy "on-failure"; initial-delay "2s" }'), wanted)
    assert.equal(restartOf('restart-delay-ms 60000')?.maxDelay, 60_000)
    assert.equal(restartOf('')?.policy, 'always')
  })

  test('a pool is its connections', () => {
    const agentOf = (content: string) => configOf(`${start}${app}agents { agent "waf" { ${content} } }`).agents[0]
    for (const spelling of ['connections 4', 'pool-size 4', 'connections-per-agent 4', 'pool { connections-per-agent 4; load-balance-strategy "round_robin"; health-check-interval-ms 10000 }']) {
      assert.equal(agentOf(spelling)?.connections, 4, spelling)
    }
    for (const spelling of ['connect-timeout "2s"', 'connect-timeout-ms 2000', 'pool { connect-timeout-ms 2000 }']) assert.equal(agentOf(spelling)?.connectTimeout, 2_000, spelling)
  })

  test('what files say beside that is checked', () => {
    configOf(`${start}${app}agents { agent "waf" {
      circuit-breaker { timeout-seconds 30 }; health-check { enabled #true; interval-ms 5000; timeout-ms 100; healthy-threshold 2 }; retry { max-attempts 2; backoff-ms 10 }
      event-timeouts { request-headers 30; request-body "100ms"; response-headers-ms 30 }; chunk-timeout-ms 5000; protocol-version "2"; binary-uds #true; buffer-size 8192
      http2 { keep-alive-interval-ms 10000; keep-alive-timeout-ms 5000; max-concurrent-streams 100 }; host "shared"; against "other"
    }; agent "other" type="denylist"; wasm-agent "w" { component "/w.wasm"; config { a 1 } } }`)
    for (const wrong of ['chunk-timeout-ms 0', 'event-timeouts { request-trailers 3 }', 'health-check { interval 5 }', 'against "nobody"', 'retry { max-attempts 0 }', 'wasm "x"']) {
      assert.equal(errorsIn(`${start}${app}agents { agent "waf" { ${wrong} } }`).length, 1, wrong)
    }
    assert.equal(errorsIn(`${start}${app}agents { agent "waf"; wasm-agent "w" { } }`).length, 1)
  })
})

describe('filters', () => {
  test('where counts are kept, in every shape', () => {
    const options = { older: olderRateLimit }
    const { backend } = alike(rateLimitFilter, [
      'backend "redis" { url "redis://r:6379"; key-prefix "p:"; pool-size 4; timeout "50ms"; on-failure "closed" }',
      'backend { type "redis"; url "redis://r:6379"; prefix "p:"; pool-size 4; timeout-ms 50; fallback #false }',
      'backend "redis"; redis-url "redis://r:6379"; redis-prefix "p:"; redis-pool-size 4; redis-timeout-ms 50; redis-fallback-local #false',
      'redis-url "redis://r:6379"; redis-prefix "p:"; redis-pool-size 4; redis-timeout-ms 50; redis-fallback #false; backend "redis"',
    ], options)
    assert.deepEqual([backend.type, backend.onFailure], ['redis', 'closed'])
    alike(rateLimitFilter, ['backend "memcached" { url "memcache://a:1,b:1"; ttl "2s" }', 'backend "memcache"; memcached-url "memcache://a:1,b:1"; memcached-ttl-secs 2'], options)
    alike(rateLimitFilter, ['max-rps 5; message "slow down"', 'requests-per-second 5; limit-message "slow down"'], options)
    assert.equal(mistakes(rateLimitFilter, 'backend "redis"; redis-uri "redis://r"', options).length, 1)
  })

  test('requests are counted by one thing or several', () => {
    const context = { folder: '/', lenient: false, secret: false }
    const keyOf = (text: string): unknown => {
      const found = rateKey.parse(text, context)
      return 'value' in found ? found.value.map(({ kind, name }) => name === undefined ? kind : `${kind}=${name}`).join(' ') : found.wrong
    }
    assert.deepEqual(['client-ip', 'client_ip', 'ip', 'path', 'route', 'client-ip-and-path', 'header:X-Api-Key', 'cookie:sid', 'query:user', 'jwt:sub', 'attribute:tenant', 'route+client-ip + header:X-Org'].map(keyOf),
      ['client-ip', 'client-ip', 'client-ip', 'path', 'route', 'client-ip path', 'header=X-Api-Key', 'cookie=sid', 'query=user', 'jwt=sub', 'attribute=tenant', 'route client-ip header=X-Org'])
    for (const wrong of ['', 'header', 'header:', 'header:a b', 'clientip+', 'host:x', 'client-ip++path']) assert.ok('wrong' in rateKey.parse(wrong, context), wrong)
  })

  test('countries are codes that exist', () => {
    const context = { folder: '/', lenient: false, secret: false }
    for (const code of ['US', 'de', 'KP', 'IR', 'RU', 'CN', 'GB']) assert.ok('value' in country.parse(code, context), code)
    for (const wrong of ['UK', 'XX', 'ZZ', 'USA', '', 'U1', 'EN']) assert.ok('wrong' in country.parse(wrong, context), wrong)
  })

  test('lists may be one text with commas', () => {
    const filter = (content: string): string => `${start.replace('upstream "app"', 'filters "f"; upstream "app"')}${app}filters { filter "f" { ${content} } }`
    for (const content of ['type "compress"; algorithms "gzip,br"; min-size 1024; level 6; content-types "text/html" "application/json"', 'type "compress"; algorithms "gzip" "brotli" "zstd" "deflate"',
      'type "geo"; database-path "/c.mmdb"; countries "US,CA"; action "log_only"; on-failure "fail-open"; cache-ttl-secs 60', 'type "geo"; database-path "/c.mmdb"; countries "RU" "CN"; add-country-header #true; block-message "no"; database-type "maxmind"',
      'type "cors"; allowed-origins "https://a.example.com" "https://*.b.example.com"; allowed-methods "GET" "POST"; allowed-headers "Content-Type"; exposed-headers "X-Id"; allow-credentials #true; max-age-secs 600',
      'type "headers"; phase "both"; set { X-A "b" }; rename { X-B "X-C" }; add X-D="e"; remove "Server" "X-Powered-By"; response { set { Strict-Transport-Security "max-age=1" }; remove "Via" }',
      'type "log"; log-request #true; log-body #false; max-body-log-size 4096; level "debug"; fields "user-agent"', 'type "timeout"; request-timeout-secs 30; upstream-timeout-secs 20; connect-timeout-secs 5',
      'type "redirect"; status-code 308; hostname "a.example.com"; scheme "https"; port 8443; replace-prefix-match "/x"', 'type "url_rewrite"; hostname "a"; replace-full-path "/x"',
      'type "agent"; agent "waf"; failure-mode "fail_open"; phase "request"; inspect-body #true; max-body-bytes 100; timeout-ms 5']) {
      assert.deepEqual(errorsIn(`${filter(content)}\nagents { agent "waf" }`), [], content)
    }
  })
})

describe('namespaces', () => {
  test('plural and singular blocks, services and exports', () => {
    const { listeners, agents, routes } = configOf(`${start}${app}namespace "shop" {
      limits { max-body-size "1MiB" }
      listeners { listener "shop" { address "127.0.0.1:8081" } }
      upstream "cart" { target "10.0.0.1:80" }
      upstreams { upstream "pay" { target "10.0.0.2:80" } }
      routes { route "cart" { matches { path-prefix "/cart" }; upstream "cart"; filters "mine" } }
      route "all" { matches { path-prefix "/shop" }; upstream "app" }
      agents { agent "guard" type="waf" }
      filters { filter "mine" { type "agent"; agent "guard" } }
      service "pay" {
        listener { address "127.0.0.1:8082" }
        route "pay" { matches { path-prefix "/pay" }; upstream "own" }
        route "outer" { matches { path-prefix "/outer" }; upstream "pay" }
        upstream "own" { target "10.0.0.3:80" }
      }
      exports { upstreams "pay"; agents "guard"; filters "mine" }
    }
    namespace "other" {
      routes { route "a" { matches { path-prefix "/a" }; upstream "pay" }; route "b" { matches { path-prefix "/b" }; upstream "shop:cart" }; route "c" { matches { path-prefix "/c" }; upstream "shop:pay:own" } }
    }`)
    assert.deepEqual(listeners.map(({ id, namespace }) => [id, namespace]), [['web', undefined], ['shop:shop', 'shop'], ['shop:pay:service-listener', 'shop:pay']])
    assert.deepEqual(agents.map(({ id, type, scope }) => [id, type, scope]), [['shop:guard', 'waf', 'shop']])
    assert.deepEqual(routes.map(({ id, upstream }) => [id, upstream]).slice(1), [
      ['shop:cart', 'shop:cart'], ['shop:all', 'app'], ['shop:pay:pay', 'shop:pay:own'], ['shop:pay:outer', 'shop:pay'],
      ['other:a', 'shop:pay'], ['other:b', 'shop:cart'], ['other:c', 'shop:pay:own'],
    ])
  })

  test('what is wrong inside is told as outside', () => {
    const inside: readonly (readonly [string, RegExp])[] = [
      ['routes { route "a" { matches { path-prefix "/a" }; upstream "nowhere" } }', /references upstream 'nowhere', which doesn't exist/],
      ['routes { route "a" { matches { path-prefix "/a" }; upstream "app"; filters "none" } }', /references filter 'none'/],
      ['routes { route "a" { upstream "app" } }', /has no conditions/],
      ['routes { route "a" { matches { path-prefix "/a" } } }', /has nothing that answers/],
      ['service "s" { routes { route "a" { matches { path-prefix "/a" } } } }', /has nothing that answers/],
      ['upstreams { upstream "a" { } }', /requires at least one target/],
      ['agents { agent "a" { } }', /requires a transport/],
      ['listeners { listener "a" { address "127.0.0.1:8080" } }', /has the address of listener 'web'/],
      ['service "s" { listener { address "127.0.0.1:1" }; listener { address "127.0.0.1:2" } }', /more than one listener/],
      ['service "a:b" { }', /must not contain ':'/],
      ['service "s" { }; service "s" { }', /two services named 's'/],
      ['upstreams { upstream "a" { target "a:1" }; upstream "a" { target "a:2" } }', /two upstreams named 'a'/],
      ['exports { upstreams "app" }', /references upstream 'app', which doesn't exist/],
      ['exports { routes "a" }', /unknown setting 'routes' in 'exports'/],
      ['cache { }', /unknown setting 'cache' in namespace 'n'/],
    ]
    for (const [content, message] of inside) {
      const errors = errorsIn(`${start}${app}namespace "n" { ${content} }`)
      assert.equal(errors.length, 1, `${content}: ${errors.join('; ')}`)
      assert.match(errors[0] ?? '', message, content)
    }
    assert.match(errorsIn(`${start}${app}namespace "n" { }; namespace "n" { }`)[0] ?? '', /two namespaces named 'n'/)
  })
})
