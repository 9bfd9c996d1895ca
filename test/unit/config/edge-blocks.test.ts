import { strict as assert } from 'node:assert'
import { describe, test } from 'node:test'
import type { Loaded, SentinelConfig } from '../../../config/sentinel/index.ts'
import { checkText, printProblems } from '../../../config/sentinel/index.ts'

const rest = `routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" { target "127.0.0.1:3000" } }
`
const start = `listeners { listener "web" { address "127.0.0.1:8080" } }\n${rest}`

function check (text: string): Loaded {
  return checkText(text, '/etc/sentinel/sentinel.kdl', { env: {}, textOnly: true })
}

function configOf (text: string): SentinelConfig {
  const { config, problems, sources } = check(text)
  assert.ok(config !== undefined, printProblems(problems, sources))
  return config
}

/** Codes and messages of everything that is not a note. */
function complaints (text: string): string[] {
  return check(text).problems.filter(({ severity }) => severity !== 'note').map(({ severity, code, message }) => `${severity} ${code}: ${message}`)
}

function errors (text: string): string[] {
  return complaints(text).filter(line => line.startsWith('error '))
}

function withTls (inner: string): string {
  return `listeners { listener "web" { address "127.0.0.1:8443"; tls {\n${inner}\n} } }\n${rest}`
}

function tlsOf (inner: string) {
  const { tls, protocol } = configOf(withTls(inner)).listeners[0]!
  assert.equal(protocol, 'https')
  return tls!
}

describe('listeners in older forms', () => {
  const shapeOf = (text: string) => configOf(text).listeners.map(({ id, address, protocol, tls }) => [id, address.text, protocol, tls?.certFile])

  test('the name of a listener may be its address', () => {
    assert.deepEqual(shapeOf(`listeners { listener "0.0.0.0:80" { request-timeout "5s" } }\n${rest}`), [['0.0.0.0:80', '0.0.0.0:80', 'http', undefined]])
    assert.deepEqual(shapeOf(`listener "[::1]:80" { }\n${rest}`), [['[::1]:80', '[::1]:80', 'http', undefined]])
    assert.deepEqual(shapeOf(`listeners { listener "main:80" { address "127.0.0.1:81" } }\n${rest}`), [['main:80', '127.0.0.1:81', 'http', undefined]])
  })

  test('a listener with an address for a name listens there', () => {
    const text = `listeners { listener "0.0.0.0:80" { keepalive-timeout "5s" }; listener ":444" { tls { cert "b.crt"; key "b.key" } } }\n${rest}`
    assert.deepEqual(shapeOf(text), [['0.0.0.0:80', '0.0.0.0:80', 'http', undefined], [':444', ':444', 'https', '/etc/sentinel/b.crt']])
    assert.equal(configOf(text).listeners[0]?.keepaliveTimeout, 5000)
  })

  test('listen in system is a listener, beside those of listeners', () => {
    const text = `server { workers 1; listen "0.0.0.0:80"; listen "0.0.0.0:443" { tls { certificate "a.crt"; private-key "a.key" } } }\nlisteners { listener "admin" { address "127.0.0.1:9000" } }\n${rest}`
    assert.deepEqual(shapeOf(text).map(([id, address, protocol]) => [id, address, protocol]),
      [['admin', '127.0.0.1:9000', 'http'], ['listen-1', '0.0.0.0:80', 'http'], ['listen-2', '0.0.0.0:443', 'https']])
    assert.deepEqual(shapeOf(`system { listen 8080 }\n${rest}`), [['listen-1', '0.0.0.0:8080', 'http', undefined]])
  })

  test('a mistake in an older form is told at its place', () => {
    const { problems } = check(`listeners {\n  listener "0.0.0.0:443" {\n    tls { cert-file "a.crt"\n    kee-file "a.key" }\n  }\n}\n${rest}`)
    assert.deepEqual(problems.filter(({ severity }) => severity === 'error').map(({ code, position }) => [position.line, code]),
      [[3, 'CONFIG_CONTRADICTION'], [4, 'CONFIG_UNKNOWN_SETTING']])
  })

  test('other words for listeners are refused, and the word for them is told', () => {
    assert.match(errors(`listeners { https "0.0.0.0:443" { } }\n${rest}`).join(), /'listeners' holds only 'listener', found 'https'/)
  })
})

describe('TLS', () => {
  const pair = 'cert-file "a.crt"; key-file "a.key"'

  test('versions have several spellings', () => {
    for (const spelling of ['1.3', 'TLS1.3', 'tls1.3', 'TLSv1.3', 'TLS 1.3', 'tls_1_3']) assert.equal(tlsOf(`${pair}; min-version "${spelling}"`).minVersion, '1.3', spelling)
    assert.deepEqual([tlsOf(pair).minVersion, tlsOf(pair).maxVersion], ['1.2', '1.3'])
    for (const spelling of ['1.0', '1', 'TLSv1', 'TLS1.1', 'SSLv3', '1.4', 'latest']) assert.match(errors(withTls(`${pair}; max-version "${spelling}"`)).join(), /CONFIG_TYPE: 'max-version' must be/, spelling)
  })

  test('ciphers have the names of the standard, of OpenSSL and of others, in a list, in lines or in a block', () => {
    const wanted = ['TLS_AES_128_GCM_SHA256', 'ECDHE-RSA-AES256-GCM-SHA384']
    const spellings = [
      'cipher-suites "TLS_AES_128_GCM_SHA256" "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"', 'ciphers "TLS13_AES_128_GCM_SHA256, ECDHE-RSA-AES256-GCM-SHA384"',
      'cipher-suite "tls_aes_128_gcm_sha256"; cipher-suite "ecdhe-rsa-aes256-gcm-sha384"', 'cipher-suites { - "TLS_AES_128_GCM_SHA256"; - "ECDHE-RSA-AES256-GCM-SHA384" }',
    ]
    for (const spelling of spellings) assert.deepEqual(tlsOf(`${pair}; ${spelling}`).cipherSuites, wanted, spelling)
  })

  test('client-auth: words, booleans, and what a ca-file alone means', () => {
    const of = (inner: string) => tlsOf(`${pair}; ${inner}`).clientAuth
    for (const word of ['#true', '"required"', '"require"', '"true"']) assert.equal(of(`ca-file "ca.pem"; client-auth ${word}`), 'required', word)
    for (const word of ['#false', '"off"', '"none"']) assert.equal(of(`ca-cert "ca.pem"; client-auth ${word}`), 'off', word)
    assert.deepEqual([of('ca-file "ca.pem"; client-auth "optional"'), of('ca-file "ca.pem"'), of(''), of('client-auth #false')], ['optional', 'required', 'off', 'off'])
    for (const word of ['#true', '"optional"']) assert.match(errors(withTls(`${pair}; client-auth ${word}`)).join(), /CONFIG_MISSING: .* no 'ca-file'/)
    assert.match(errors(withTls(`${pair}; ca-file "ca.pem"; client-auth "maybe"`)).join(), /CONFIG_TYPE/)
  })

  test('certificates for some names, in the older form too, and two that claim one name', () => {
    const entry = (names: string): string => `hostnames ${names}; cert-file "b.crt"; key-file "b.key"`
    const forms = [
      `sni { ${entry('"a.test"')} }\nsni { ${entry('"b.test"')} }`, `additional-certs { sni-cert { ${entry('"a.test"')} }; sni-cert { ${entry('"b.test"')} } }`,
      `additional-certs { cert hostnames="a.test" { cert-file "b.crt"; key-file "b.key" }; sni { ${entry('"b.test"')} } }`,
    ]
    for (const form of forms) {
      assert.deepEqual(errors(withTls(`${pair}\n${form}`)), [], form)
      assert.match(errors(withTls(`${pair}\n${form.replace('b.test', 'A.Test')}`)).join(), /CONFIG_CONTRADICTION: two certificates .* claim 'a\.test'/, form)
      assert.deepEqual(errors(withTls(`${pair}\nallow-sni-overlaps #true\n${form.replace('b.test', 'a.test')}`)), [], form)
    }
    assert.match(errors(withTls(`${pair}\nsni { priority-hostnames "a.test"; cert-file "b.crt"; key-file "b.key" }\nsni { priority-hostnames "a.test"; cert-file "c.crt"; key-file "c.key" }`)).join(), /claim 'a\.test'/)
    assert.match(errors(withTls(`${pair}\nsni { acme { email "a@b.test"; domains "a.test" } }\nsni { ${entry('"a.test"')} }`)).join(), /claim 'a\.test'/)
    assert.match(errors(withTls(`${pair}\nadditional-certs { what { } }`)).join(), /unknown setting 'additional-certs'/)
  })

  test('acme is judged in full, and one name is ordered once in the whole file', () => {
    const acme = (more: string): string => withTls(`acme { email "ops@a.test"; ${more} }`)
    const provider = 'dns-provider "hetzner" { credentials-env "TOKEN" }'
    for (const good of ['domains "a.test"', 'domains "a.test"; domains "b.test"', `domains "*.a.test"; challenge-type "dns"; ${provider}`,
      'domains "a.test"; challenge-type "http01"; key-type "p384"; renew-before-days 20; storage "acme"; eab { kid "k"; hmac-key "h" }',
      'domains "a.test"; challenge-type "dns-01"; dns-provider { type "webhook"; url "https://hook.test/"; propagation { nameservers "192.0.2.1" "2001:db8::1" } }']) {
      assert.deepEqual(errors(acme(good)), [], good)
    }
    for (const [bad, why] of [['domains "*.a.test"', /http-01 cannot prove/], ['domains "*.a.test"; challenge-type "dns01"', /needs 'dns-provider'/], ['staging #true', /needs 'domains'/],
      ['domains "a.test"; challenge-type "tls-alpn-01"', /'challenge-type' must be/], ['domains "a.test"; domains "A.test"', /two acme domains named 'a\.test'/],
      [`domains "a.test"; challenge-type "dns-01"; dns-provider "cloudflare" { credentials-file "t"; url "https://x.test" }`, /settings of a webhook/],
      ['domains "a.test"; challenge-type "dns-01"; dns-provider "route53"', /must be one of cloudflare, hetzner, webhook/]] as const) {
      assert.match(errors(acme(bad)).join('\n'), why, bad)
    }
    const two = `listeners {
      listener "a" { address "127.0.0.1:1"; tls { acme { email "o@a.test"; domains "a.test" } } }
      listener "b" { address "127.0.0.1:2"; tls { acme { email "o@a.test"; domains "A.TEST" } } }
    }\n${rest}`
    assert.match(errors(two).join(), /two acme domains named 'a\.test'/)
  })

  test('a listener whose only certificate would come from acme is refused where it would be served', () => {
    const { config, problems } = checkText(withTls('acme { email "o@a.test"; domains "a.test" }'), '/etc/sentinel/sentinel.kdl', { env: {} })
    assert.equal(config, undefined)
    assert.deepEqual(problems.filter(({ severity }) => severity === 'error').map(({ code }) => code), ['CONFIG_NOT_BUILT'])
  })
})

describe('protocols', () => {
  test('h2 says nothing about TLS: with a tls block it is https', () => {
    const of = (more: string) => configOf(`listeners { listener "web" { address "127.0.0.1:8080"; ${more} } }\n${rest}`).listeners[0]?.protocol
    assert.deepEqual([of('protocol "h2"'), of('protocol "HTTP2"'), of('protocol "h2"; tls { cert "a"; key "b" }'), of('protocol "HTTPS"; tls { cert "a"; key "b" }')], ['h2', 'h2', 'https', 'https'])
    assert.deepEqual(complaints(start.replace(':8080"', ':8080"; protocol "h2"')), [])
    assert.match(errors(start.replace(':8080"', ':8080"; protocol "http3"')).join(), /QUIC/)
  })
})

describe('logs, metrics and traces', () => {
  const observed = (inner: string) => configOf(`${start}observability { ${inner} }`).observability

  test('the access log is written in the forms of Apache, from either place', () => {
    assert.equal(observed('access-log { format "combined" }').accessLog.format, 'combined')
    assert.deepEqual(['clf', 'common', 'CLF'].map(word => observed(`logging { access-log { format "${word}" } }`).accessLog.format), ['common', 'common', 'common'])
    assert.deepEqual(complaints(`${start}observability { access-log { format "custom" } }`), ['warning CONFIG_MISSING: \'access-log\' of \'observability\' has format "custom" and no template: its lines are JSON'])
    assert.equal(observed('access-log path="a.log"').accessLog.file, '/etc/sentinel/a.log')
  })

  test('everything that logs may say is accepted in both places', () => {
    const logs = `access-log { enabled #true; file "a.log"; format "json"; buffer-size 8192; include-trace-id #true; fields "method" "path"; sampling-rate 0.1 }
      error-log { enabled #true; file "e.log"; level "warn"; buffer-size "64KB" }
      audit-log { enabled #true; file "s.log"; buffer-size 8192; log-blocked #true; log-agent-decisions #true; log-waf-events #false; events "waf_block" "config_change" "auth_failure" }`
    assert.deepEqual(errors(`${start}observability { ${logs} }`), [])
    assert.deepEqual(errors(`${start}observability { logging { level "warning"; timestamps #true; file "app.log"\n${logs} } }`), [])
    assert.deepEqual(errors(`${start}observability { access-log { fields { method #true; path; query #false }; sampling { enabled #true; rate 0.1; always-log-errors #true } } }`), [])
    assert.match(errors(`${start}observability { error-log { level "info" } }`).join(), /'level' must be one of warn, error/)
  })

  test('the level of the older place counts where the newer one says nothing', () => {
    const levelOf = (system: string, logging: string) => configOf(`${start}system { ${system} }\nobservability { logging { ${logging} } }`).observability.logging.level
    assert.deepEqual([levelOf('log-level "debug"', ''), levelOf('log-level "debug"', 'level "info"'), levelOf('', 'level "err"'), levelOf('', '')], ['debug', 'info', 'error', 'info'])
    assert.deepEqual(Object.keys(configOf(start).observability.logging), ['level', 'format', 'timestamps', 'file', 'rotate'])
  })

  test('metrics with address and port apart', () => {
    const of = (inner: string) => observed(`metrics { ${inner} }`).metrics
    const addressOf = (inner: string) => of(inner).address.text
    assert.deepEqual([addressOf('port 9191'), addressOf('bind-address "0.0.0.0"; port 9191'), addressOf('address "::1"; port 9191'), addressOf('bind-address "0.0.0.0:9191"')],
      ['127.0.0.1:9191', '0.0.0.0:9191', '[::1]:9191', '0.0.0.0:9191'])
    assert.equal(of('endpoint "/stats"; port 9191').path, '/stats')
    assert.match(errors(`${start}observability { metrics { port 99999 } }`).join(), /the port must be from 0 to 65535/)
    assert.match(errors(`${start}observability { metrics { address "0.0.0.0:9191"; port 9191 } }`).join(), /unknown setting 'port'/)
  })

  test('traces in all their forms', () => {
    const forms = ['backend "otlp" { endpoint "http://c:4317" }; sampling-rate 0.1; service-name "edge"', 'enabled #true; endpoint "http://c:4317"; protocol "grpc"', 'backend { otlp { endpoint "http://c:4317" } }',
      'backend "zipkin" { endpoint "http://z:9411/api/v2/spans" }; propagation "b3" "w3c"; sample-rate 1', 'enabled #false', 'backend "jaeger" endpoint="http://j:4317"; sampling { rate 0.5 }']
    for (const form of forms) assert.deepEqual(complaints(`${start}observability { tracing { ${form} } }`), [], form)
    assert.match(errors(`${start}observability { tracing { enabled #true } }`).join(), /needs 'backend'/)
    assert.match(errors(`${start}observability { tracing { protocol "grpc" } }`).join(), /needs 'endpoint'/)
  })
})

describe('limits and the rest', () => {
  test('every limit has the default of the documentation, in both spellings', () => {
    const text = `${start}limits {
      max-header-size-bytes 8192; max-header-count 100; max-header-name-bytes 256; max-header-value-bytes 4096; max-body-size-bytes 512; max-body-buffer-bytes 1048576
      max-body-inspection-bytes 1048576; max-decompression-ratio 100.0; max-decompressed-size-bytes 104857600; max-connections-per-client 100; max-connections-per-route 1000
      max-total-connections 10000; max-idle-connections-per-upstream 100; max-in-flight-requests 10000; max-in-flight-requests-per-worker 1000; max-queued-requests 1000
      max-agent-queue-depth 100; max-agent-body-bytes 1048576; max-agent-response-bytes 10240; max-requests-per-second-global 1; max-requests-per-second-per-client 1
      max-requests-per-second-per-route 1; max-memory-bytes 2147483648; max-memory-percent 80.5; request-timeout "30s"; idle-timeout-secs 60
    }`
    assert.deepEqual(errors(text), [])
    assert.equal(configOf(text).limits.maxBodySize, 512, 'also under 1 MiB')
    assert.deepEqual(errors(`${start}limits { max-connections 5; max-requests-per-second 5; max-header-name-size "1KiB"; max-memory "1GiB" }`), [])
  })

  test('rate limits count by client, path, route or header', () => {
    for (const key of ['client-ip', 'client_ip', 'ip', 'path', 'route', 'client-ip-and-path', 'header:X-Api-Key']) assert.deepEqual(errors(`${start}rate-limits { default-rps 5; key "${key}"; global { max-rps 5; key "${key}" } }`), [], key)
    for (const key of ['header:', 'header:a b', 'user']) assert.match(errors(`${start}rate-limits { default-rps 5; key "${key}" }`).join(), /CONFIG_TYPE/, key)
  })

  test('everything that system may say, and the notes of the older files', () => {
    assert.deepEqual(errors(`metadata { version "1"; environment "production" { region "eu" } }
      server { worker-threads 0; max-connections 10; graceful-shutdown-timeout 30; daemon #false; pid-file "p"; user "www-data"; group "web"; working-directory "."; trace-id-format "UUIDv4"; auto-reload #true; route-cache-size 5; connection-timeout-secs 3 }
      ${start}`), [])
    assert.equal(configOf(`system { graceful-shutdown-timeout 30 }\n${start}`).system.gracefulShutdownTimeout, 30_000)
    assert.match(errors(`${start}system { route-cache-size 0 }`).join(), /from 1 to/)
    assert.equal(configOf(`version "0.6.0"\n${start}`).schemaVersion, '1.0')
  })
})
