import { strict as assert } from 'node:assert'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { Loaded, SentinelConfig } from '../../../config/sentinel/index.ts'
import { checkText, loadConfig, printProblems } from '../../../config/sentinel/index.ts'
import { processorMs } from '../../support/processor-time.ts'

const start = `listeners { listener "web" { address "127.0.0.1:8080" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" { target "127.0.0.1:3000" } }
`

function check (text: string, env: Record<string, string> = {}): Loaded {
  return checkText(text, '/etc/sentinel/sentinel.kdl', { env })
}

function configOf (text: string, env: Record<string, string> = {}): SentinelConfig {
  const { config, problems, sources } = check(text, env)
  assert.ok(config !== undefined, printProblems(problems, sources))
  return config
}

function errorsOf (text: string): string[] {
  return check(text).problems.filter(({ severity }) => severity === 'error').map(({ code }) => code)
}

describe('loading a configuration', () => {
  test('five lines make a proxy, with every default in it', () => {
    const { listeners, routes, upstreams, limits, observability, system, evidence } = configOf(start)
    assert.deepEqual(listeners.map(({ at, ...listener }) => [at.line, listener]), [[1, {
      id: 'web', address: { host: '127.0.0.1', port: 8080, text: '127.0.0.1:8080' }, protocol: 'http', requestTimeout: 60_000, keepaliveTimeout: 75_000, maxConcurrentStreams: 100,
      keepaliveMaxRequests: undefined, trustedProxies: [], tls: undefined, namespace: undefined, redirectHttps: false, defaultRoute: undefined, scope: '',
      proxyProtocol: undefined, rateLimit: undefined, backlog: 1024, reusePort: false, ipv6Only: false, socketMode: undefined, socketOwner: undefined, socketGroup: undefined,
    }]])
    assert.deepEqual(routes[0]?.matches, { path: [], pathPrefix: ['/'], pathRegex: [], host: [], hostRegex: [], method: [], header: [], queryParam: [] })
    assert.deepEqual([routes[0]?.priority, routes[0]?.upstream, routes[0]?.maxBodySize], [50, 'app', undefined])
    assert.deepEqual([routes[0]?.websocket, routes[0]?.websocketInspection], [undefined, false])
    assert.deepEqual(upstreams[0]?.targets.map(({ address, weight }) => [address.text, weight]), [['127.0.0.1:3000', 1]])
    assert.deepEqual(upstreams[0]?.connectionPool, { maxConnections: undefined, idleTimeout: 60_000, maxIdle: undefined, maxLifetime: undefined, maxPending: 1_000, pendingTimeout: undefined })
    assert.deepEqual(upstreams[0]?.timeouts, { connect: 10_000, firstByte: undefined, read: 30_000, write: 30_000, request: undefined })
    assert.deepEqual(limits, {
      maxHeaderSize: 8192, maxHeaderCount: 100, maxBodySize: 10_485_760, maxInFlightRequests: 10_000, maxTotalConnections: 10_000,
      maxHeaderNameSize: 256, maxHeaderValueSize: undefined, maxBodyBuffer: 1_048_576, maxBodyBufferTotal: 67_108_864, maxBodyInspection: undefined, maxConnectionsPerClient: undefined, maxConnectionsPerRoute: undefined, maxDecompressionRatio: 100, maxDecompressedSize: 104_857_600,
      maxIdleConnectionsPerUpstream: undefined, maxInFlightRequestsPerWorker: undefined, maxQueuedRequests: 1_000, queueTimeout: 1_000, adaptiveConcurrency: undefined, maxMemory: undefined, maxMemoryPercent: undefined, maxRequestsPerSecondGlobal: undefined, maxRequestsPerSecondPerClient: undefined, maxRequestsPerSecondPerRoute: undefined, maxAgentQueueDepth: 100, maxAgentBody: 1_048_576, maxAgentResponse: undefined,
    })
    assert.deepEqual(observability, {
      metrics: { enabled: true, address: { host: '127.0.0.1', port: 9090, text: '127.0.0.1:9090' }, path: '/metrics', highCardinality: false, otlp: undefined },
      tracing: undefined,
      logging: { level: 'info', format: 'auto', timestamps: true, file: undefined, rotate: undefined },
      redact: { names: [], except: [] },
      errorLog: undefined,
      auditLog: undefined,
      accessLog: {
        enabled: true, file: 'stdout', format: 'json', template: undefined, sampleRate: 1, alwaysLogErrors: true, fields: [], requestHeaders: [], responseHeaders: [], attributes: [],
        bufferSize: 65_536, rotate: undefined,
      },
    })
    assert.deepEqual([system, evidence], [{
      workerThreads: 1, gracefulShutdownTimeout: 30_000, shutdownDelay: 0, upgradeTimeout: 30_000, maxConnections: undefined, zone: undefined, instanceId: undefined, autoReload: false,
      daemon: false, pidFile: undefined, traceIdFormat: undefined, controlSocket: undefined, user: undefined, group: undefined, workingDirectory: undefined,
    }, undefined])
  })

  test('a route that keeps answers has the defaults of the language, and so has the place where they are', () => {
    const { routes, cache } = configOf(start.replace('upstream "app" }', 'upstream "app"; cache { enabled #true } }'))
    assert.deepEqual({ ...routes[0]?.cache, at: undefined }, {
      enabled: true, defaultTtl: 3_600_000, negativeTtl: 60_000, minUses: 1, maxSize: 10_485_760, cachePrivate: false, respectCacheControl: true,
      staleWhileRevalidate: 60_000, staleIfError: 300_000, cacheableMethods: ['GET', 'HEAD'], cacheableStatusCodes: [200, 203, 204, 206, 300, 301, 308, 404, 410],
      varyHeaders: [], varyQueryParams: [], ignoreQueryParams: [], excludeExtensions: [], excludePaths: [], at: undefined,
    })
    assert.deepEqual(cache, {
      enabled: true, backend: 'memory', maxSize: 104_857_600, evictionLimit: undefined, lockTimeout: 10_000, diskPath: undefined, diskShards: 16,
      diskMaxSize: 1_073_741_824, statusHeader: false, statusHeaderName: 'sentinel',
    })
  })

  test('every spelling of a target means the same', () => {
    const spellings = ['target "a:80" weight=3', 'target "a:80" { weight 3 }', 'target address="a:80" weight=3', 'target { address "a:80"; weight 3 }',
      'targets { target "a:80" weight=3 }', 'targets { target { address "a:80"; weight 3 } }']
    for (const spelling of spellings) {
      const [upstream] = configOf(start.replace('target "127.0.0.1:3000"', spelling)).upstreams
      assert.deepEqual(upstream?.targets.map(({ address, weight }) => [address.text, weight]), [['a:80', 3]], spelling)
    }
    for (const whole of ['upstream "app" { address "a:80" }', 'upstream "app" address="a:80"']) {
      const [upstream] = configOf(start.replace('upstream "app" { target "127.0.0.1:3000" }', whole)).upstreams
      assert.deepEqual(upstream?.targets.map(({ address, weight }) => [address.text, weight]), [['a:80', 1]], whole)
    }
  })

  test('every spelling of an agent\'s transport means the same', () => {
    const unix = ['unix-socket "/run/x.sock"', 'unix-socket path="/run/x.sock"', 'unix-socket { path "/run/x.sock" }', 'transport "unix_socket" { path "/run/x.sock" }', 'socket "/run/x.sock"',
      'endpoint "unix:///run/x.sock"']
    const grpc = ['grpc "h:1"', 'grpc address="h:1"', 'grpc { address "http://h:1" }', 'transport "grpc" { address "h:1" }', 'endpoint "grpc://h:1"', 'grpc "http://h:1"']
    const transportOf = (spelling: string) => configOf(`${start}agents { agent "x" type="auth" { ${spelling}; managed #false } }`).agents[0]?.transport
    for (const spelling of unix) assert.deepEqual(transportOf(spelling), { kind: 'unix', path: '/run/x.sock' }, spelling)
    for (const spelling of grpc) {
      const transport = transportOf(spelling)
      assert.deepEqual(transport?.kind === 'grpc' ? [transport.address.host, transport.address.port] : undefined, ['h', 1], spelling)
    }
  })

  test('an agent has a type as a property, as a setting, or its own name', () => {
    const typeOf = (head: string) => configOf(`${start}agents { ${head} }`).agents[0]?.type
    assert.deepEqual([typeOf('agent "a" type="waf"'), typeOf('agent "a" { type "waf" }'), typeOf('agent "waf"')], ['waf', 'waf', 'waf'])
  })

  test('failure-mode is closed unless somebody writes open, and other words for both are known', () => {
    const modeOf = (content: string) => configOf(`${start}agents { agent "waf" { ${content} } }`).agents[0]?.failureMode
    assert.equal(modeOf(''), 'closed')
    for (const word of ['open', 'fail_open', 'fail-open', 'OPEN']) assert.equal(modeOf(`failure-mode "${word}"`), 'open')
    for (const word of ['closed', 'fail_closed', 'fail-closed']) assert.equal(modeOf(`failure-mode "${word}"`), 'closed')
  })

  test('events are left to the agent unless they are named', () => {
    const eventsOf = (content: string) => configOf(`${start}agents { agent "waf" { ${content} } }`).agents[0]?.events
    assert.equal(eventsOf(''), undefined)
    assert.deepEqual(eventsOf('events "request_headers" "request-body" "log"'), ['request_headers', 'request_body', 'complete'])
    assert.deepEqual(eventsOf('events "tool_call" "tool-result" "guardrail"'), ['tool_call', 'tool_result', 'guardrail'])
    for (const spelling of ['websocket_frame', 'web_socket_frame', 'websocket-frame', 'websocket_message', 'websocket-message']) {
      assert.deepEqual(eventsOf(`events "request_headers" "${spelling}"`), ['request_headers', 'websocket_message'], spelling)
    }
  })

  test('an agent nobody names guards every route, in file order; one that is named does not', () => {
    const text = `${start.replace('upstream "app" }', 'upstream "app"; filters "f" "c" }')}filters { filter "f" { type "agent"; agent "b" } }
agents { agent "d" type="waf"; agent "c" type="waf"; agent "b" type="waf"; agent "a" type="denylist" }`
    assert.deepEqual(configOf(text).guardAgents, ['d', 'a'])
  })

  test('an agent that a guardrail names guards no other route, and is found in its namespace', () => {
    const guarded = 'inference { guardrails { prompt-injection { enabled #true; agent "look" } } }'
    const text = `${start.replace('upstream "app" }', `upstream "app"; ${guarded} }`)}agents { agent "look" { unix-socket "a"; managed #false } }
namespace "shop" {
  routes { route "r" { matches { path "/shop" }; upstream "own"; ${guarded} } }
  upstreams { upstream "own" { target "a:80" } }
  agents { agent "look" { unix-socket "b"; managed #false } }
}`
    const { guardAgents, routes } = configOf(text)
    assert.deepEqual(guardAgents, [])
    assert.deepEqual(routes.map(({ guardrails }) => guardrails?.promptInjection?.agent), ['look', 'shop:look'])
  })

  test('an agent that shares its name with a filter is not taken for named', () => {
    const text = `${start.replace('upstream "app" }', 'upstream "app"; filters "waf" }')}filters { filter "waf" { type "rate-limit" } }\nagents { agent "waf" }`
    assert.deepEqual(configOf(text).guardAgents, ['waf'])
  })

  test('several agents of one filter keep their order', () => {
    const [filter] = configOf(`${start}filters { filter "f" { type "agent"; agent "b"; agent "a" "c" } }\nagents { agent "a" type="waf"; agent "b" type="waf"; agent "c" type="waf" }`).filters
    assert.deepEqual(filter?.type === 'agent' ? filter.agents : undefined, ['b', 'a', 'c'])
  })

  test('conditions right under a route count like those in its block', () => {
    const [route] = configOf(start.replace('matches { path-prefix "/" }', 'path-prefix "/a"; matches { path "/a/b" }')).routes
    assert.deepEqual([route?.matches.path, route?.matches.pathPrefix], [['/a/b'], ['/a']])
  })

  test('the most bytes of a body may stand in the route or in its policies; 0 means no limit', () => {
    const of = (content: string) => configOf(start.replace('upstream "app" }', `upstream "app"; ${content} }`)).routes[0]?.maxBodySize
    assert.deepEqual([of('max-body-size "1KiB"'), of('policies { max-body-size "2KiB" }'), of('max-body-size 0')], [1024, 2048, 0])
  })

  test('seconds without a unit are what old files write in an upstream\'s times', () => {
    const [upstream] = configOf(start.replace('target "', 'timeouts { connect 5; read-secs 7 }; connection-pool { idle-timeout 9 }; target "')).upstreams
    assert.deepEqual([upstream?.timeouts.connect, upstream?.timeouts.read, upstream?.connectionPool.idleTimeout], [5000, 7000, 9000])
  })

  test('an expression of a route is compiled, and runs in linear time', () => {
    const [route] = configOf(start.replace('path-prefix "/"', 'path-regex #"\\.html$"#')).routes
    assert.deepEqual(['/a.html', '/ahtml'].map(path => route?.matches.pathRegex[0]?.test(path)), [true, false])
  })

  test('two addresses that cannot both be bound are refused, wildcards included', () => {
    const two = (a: string, b: string) => errorsOf(start.replace('listeners {', `listeners { listener "two" { address "${a}" };`).replace('127.0.0.1:8080', b))
    assert.deepEqual(two('127.0.0.1:1', '127.0.0.1:1'), ['CONFIG_CONTRADICTION'])
    assert.deepEqual(two('0.0.0.0:1', '127.0.0.1:1'), ['CONFIG_CONTRADICTION'])
    assert.deepEqual(two('[::]:1', '127.0.0.1:1'), ['CONFIG_CONTRADICTION'])
    assert.deepEqual(two('127.0.0.2:1', '127.0.0.1:1'), [])
    assert.deepEqual(two('127.0.0.1:0', '127.0.0.1:0'), [])
  })

  test('a value from the environment works everywhere, and is in no problem that is printed', () => {
    const env = { PORT: '8081', N: '7', SECRET: 'hunter2-hunter2' }
    const config = configOf(start.replace('127.0.0.1:8080', '127.0.0.1:${PORT}') + 'limits { max-header-count "${N}" }', env)
    assert.deepEqual([config.listeners[0]?.address.port, config.limits.maxHeaderCount], [8081, 7])
    const places = ['limits { max-body-size "${SECRET}" }', 'agents { agent "${SECRET}" type="x" }', 'observability { logging { level "${SECRET}" } }', 'upstreams { upstream "${SECRET}" { } }',
      'routes { route "r" { matches { path-regex "(${SECRET}" }; upstream "${SECRET}" } }', 'evidence { file "/no/${SECRET}" "${SECRET}" }', 'filters { filter "f" { type "${SECRET}" } }',
      'agents { agent "waf" { unix-socket "/${SECRET}"; grpc "${SECRET}:1" } }', 'upstreams { upstream "x" { target "a:1"; tls { ca-cert "${SECRET}" } } }']
    for (const place of places) {
      const { problems, sources } = check(`${start}${place}`, env)
      assert.ok(problems.length > 0, place)
      assert.ok(!printProblems(problems, sources).includes('hunter2'), place)
      assert.ok(!JSON.stringify(problems).includes('hunter2'), place)
    }
  })

  test('a version of the language that is newer is told about, one that is older refused', () => {
    assert.deepEqual(check(`schema-version "1.7"\n${start}`).problems.map(({ severity, code }) => [severity, code]), [['warning', 'CONFIG_NOT_BUILT']])
    assert.deepEqual(errorsOf(`schema-version "0.9"\n${start}`), ['CONFIG_TYPE'])
  })

  test('problems come in the order of the file', () => {
    const lines = check('limits { a 1 }\nlisteners { listener "x" { address 5 } }\nsystem { b 1 }\n').problems.map(problem => problem.position.line)
    assert.deepEqual(lines, lines.toSorted((a, b) => a - b))
  })

  test('ten thousand routes are read in a few seconds', () => {
    const routes = Array.from({ length: 10_000 }, (_, index) => `route "r${index}" { matches { path "/p${index}" }; upstream "app" }`).join('\n')
    const ms = processorMs(() => assert.equal(configOf(`${start}routes {\n${routes}\n}`).routes.length, 10_001))
    assert.ok(ms < 10_000, `${ms} ms`)
  })
})

describe('loading a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-load-'))
  test.after(() => rmSync(folder, { recursive: true }))

  test('gives the configuration, the file and its text; paths start at its folder', async () => {
    const file = join(folder, 'sentinel.kdl')
    writeFileSync(file, `${start}evidence { file "e.jsonl" }`)
    const { config, files, sources } = await loadConfig(file, { env: {} })
    assert.deepEqual([config?.evidence?.file, files, sources.has(file)], [join(folder, 'e.jsonl'), [file], true])
  })

  test('says what keeps a file from being read', async () => {
    const notText = join(folder, 'latin1.kdl')
    writeFileSync(notText, Buffer.from([0x61, 0x20, 0xe9]))
    for (const [file, why] of [[join(folder, 'none.kdl'), 'there is no such file'], [folder, 'it is a folder'], [notText, 'it is not UTF-8 text']] as const) {
      const { config, problems } = await loadConfig(file, { env: {} })
      assert.equal(config, undefined)
      assert.deepEqual(problems.map(({ code, message, position }) => [code, message, position.line]), [['CONFIG_UNREADABLE', `the configuration cannot be read: ${why}`, 0]])
    }
  })
})
