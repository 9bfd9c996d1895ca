import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { parseKdl } from '../../../config/kdl/parse.ts'
import {
  builtRows, effective, everyMember, inert, named, namedVariants, notBuilt, optionalBlock, setting, text, unbuilt, unbuiltIn, unbuiltKeys, watchReads, words,
  type Effective, type Fields,
} from '../../../config/schema/index.ts'
import { checkText, effectiveConfig, table, type Loaded } from '../../../config/sentinel/index.ts'
import { Proxy } from '../../../proxy/lifecycle/proxy.ts'
import { Service } from '../../../proxy/lifecycle/service.ts'
import { logTo } from '../../../proxy/observe/log.ts'
import { serverCertificate, serverKey } from '../../golden/certificates.ts'
import { maxMindFile } from '../../support/geo-database.ts'

/** Before there is a proxy: test/scenarios/service.test.ts. */
const readByRun = ['system.daemon', 'system.workingDirectory']

/** Every setting that is in effect, once. What is not written here has its default, and is looked for as well. */
function everything (folder: string): string {
  return `
system {
  trace-id-format "uuid"
  graceful-shutdown-timeout "1s"; log-level "error"; pid-file "${folder}/pid"; control-socket "${folder}/control"; auto-reload #true
  user "${process.getuid!()}"; group "${process.getgid!()}"; working-directory "${folder}"; daemon #false
}
listeners {
  listener "web" { address "127.0.0.1:0"; keepalive-max-requests 100; default-route "all"; trusted-proxies "10.0.0.0/8"; redirect-https #true; proxy-protocol { from "10.0.0.0/8" } }
  listener "tls" {
    address "127.0.0.2:0"; protocol "https"
    tls { cert-file "${folder}/cert.pem"; key-file "${folder}/key.pem"; ca-file "${folder}/cert.pem"; client-auth "optional"; min-version "1.2"; max-version "1.3"; cipher-suites "TLS_AES_128_GCM_SHA256"
      ocsp-stapling #true; session-resumption #true; allow-sni-overlaps #true; sni { cert-file "${folder}/cert.pem"; key-file "${folder}/key.pem"; hostnames "a.test" }
      sni { cert-file "${folder}/cert.pem"; key-file "${folder}/key.pem"; priority-hostnames "b.test" }
      sni-certs { cert-folder "${folder}"; reload-mode "interval"; reload-interval "1h" } }
  }
  listener "tenant" { address "127.0.0.1:0"; namespace "tenant"; rate-limit { requests-per-second 5; burst 2; key "host"; on-limit "delay"; max-delay "1s"; status-code 429; message "no"; max-keys 10; backend "redis" { url "redis+sentinel://127.0.0.1:9/main"; key-prefix "a"; pool-size 1; timeout "1ms"; on-failure "open" } } }
}
routes {
  route "all" {
    matches { path "/"; path-prefix "/"; path-regex "/"; host "a.test"; host-regex "a"; method "GET"; header "x" "y"; query-param "q" "v" }
    upstream "app"; other-upstreams "tls"; filters "step" "patient" "rate" "edit" "small" "sites" "inside" "asked" "asked-by-name" "staff" "where" "seen" "careful" "bad-day" "by-pattern" "office"; agents "direct"; service-type "web"; circuit-breaker { failure-threshold 5 }; strip-prefix "/app"
    policies {
      failure-mode "open"; buffer-requests #true; buffer-responses #true; geo-access-control { database "${folder}/country.mmdb"; database-type "maxmind"; action "allow"; allow-countries "DE"; block-countries "FR" }
      max-body-size "1MiB"; timeout "1m"; timeouts { connect "1s"; first-byte "1s"; read "1s"; write "1s"; request "1m" }; rewrite-path "/x"; require-headers "x"; ip-access-control { default-action "block"; allow "127.0.0.1"; block "10.0.0.0/8"; allow-file "${folder}/addresses"; block-file "${folder}/addresses" }
      rate-limit { requests-per-second 5; burst 2; key "host"; on-limit "delay"; max-delay "1s"; status-code 429; message "no"; max-keys 10; backend "redis" { url "rediss://127.0.0.1:9"; ca-cert "${folder}/cert.pem" } }
      global-rate-limit { requests-per-second 5; burst 2; key "route"; on-limit "delay"; max-delay "1s"; status-code 429; message "no"; max-keys 10; backend "redis" { url "redis+sentinel://127.0.0.1:9/main"; key-prefix "a"; pool-size 1; timeout "1ms"; on-failure "open" } }
      request-headers { rename { a "b" }; set { c "d" }; add { e "f" }; remove "g" }
      response-headers { rename { a "b" }; set { c "d" }; add { e "f" }; remove "g" }
    }
    retry-policy { max-attempts 2; retryable-status-codes 503; retry-on "reset"; backoff "10ms"; max-backoff "20ms"; per-attempt-timeout "1s"; retry-non-idempotent #true; budget { percent 10; min-per-second 1 } }
    api-schema { schema-file "${folder}/schema.json"; response-schema { type "object" }; validate-requests #true; validate-responses #true; strict-mode #true; on-invalid-request "reject"; on-invalid-response "log-only"
      status-code 422; max-body-size "1KiB" }
    shadow { upstream "listed"; percentage 10; sample-header "X" "y"; timeout "1s"; buffer-body #true; max-body-size "1KiB"; max-in-flight 5 }
    hedge { enabled #true; delay "10ms"; max-attempts 2 }
    cache { enabled #true; default-ttl "1m"; negative-ttl "5s"; min-uses 2; max-size "1MiB"; cache-private #true; respect-cache-control #false; stale-while-revalidate "1s"; stale-if-error "1m"
      cacheable-methods "GET"; cacheable-status-codes 200; vary-headers "x"; vary-query-params "a"; ignore-query-params "b"; exclude-extensions "php"; exclude-paths "/a/**" }
    inference { guardrails {
      prompt-injection { enabled #true; agent "direct"; action "warn"; block-status 422; block-message "no"; timeout "1s"; failure-mode "open" }
      pii-detection { enabled #true; agent "direct"; action "redact"; categories "email"; timeout "1s"; failure-mode "open" }
    } }
    websocket { enabled #true; ping-interval "1s"; ping-timeout "1s"; idle-timeout "1m"; max-message-size "1KiB"; max-connections 9; max-connections-per-ip 3; inspection #true }; websocket-inspection #true
  }
  route "written" { matches { path "/written" }; upstream "app"; api-schema { request-schema { type "object" } } }
  route "described" { matches { path "/described" }; upstream "app"; api-schema { schema-content "{openapi: 3.1.0, paths: {}}"; base-path "/a" } }
  route "wasm" { matches { path "/wasm" }; upstream "app"; wasm-agents "a" }
  route "fixed" { matches { path "/fixed" }; respond 200 "ok" { headers { a "b" } } }
  route "files" { matches { path "/files" }; static-files { root "${folder}"; index "a.html"; directory-listing #true; cache-control "no-cache"; compress #true; compression-level 4; compression-types "text/*"; fallback "a.html"; dot-files #true; follow-links #true; mime-types { ".a" "text/plain" } } }
  route "paged" { matches { path "/paged" }; respond 200; error-pages { default-format "html"; include-stack-trace #false; template-dir "${folder}"; upstream-errors #true; pages { "404" { format "json"; message "no"; headers { a "b" } }; "410" { template "${folder}/page.html" } } } }
  route "page" { matches { path "/page" }; builtin-handler "status" { token "0123456789abcdef0123"; public #false } }
  route "moved" { matches { path "/moved" }; filters "moved" }
}
upstreams {
  upstream "app" { target "127.0.0.1:9" weight=2 zone="a" priority=1 backup=#true { metadata { version "2" } }; load-balancing "weighted"; slow-start { duration "1s" }; connection-draining { timeout "1s" }
    panic-threshold 30; health-check { type "http"; path "/"; method "HEAD"; expected-status 200; host "a.test"; expected-body "ok"; port 9; interval "1s"; timeout "1s"; healthy-threshold 1; unhealthy-threshold 1 }
    circuit-breaker { failure-threshold 5; failure-status 503; scope "target" }; outlier-detection { error-rate 50; max-latency "1s"; latency-factor 3 } }
  upstream "rpc" { target "127.0.0.1:9"; health-check { type "grpc"; service "a.B" }; circuit-breaker { scope "upstream" } }
  upstream "model" { target "127.0.0.1:9"; health-check { type "inference"; endpoint "/v1/models"; expected-models "a"; readiness {
    inference-probe { model "a"; max-latency "1s" }; model-status { models "a" }; warmth-detection { cold-action "mark-degraded" }
    queue-depth { header "x-queue"; endpoint "/stats"; degraded-threshold 5; unhealthy-threshold 10 } } } }
  upstream "found" { discovery "dns" { hostname "localhost"; port 9; resolver "127.0.0.1:9"; refresh-interval "1m"; timeout "1s"; allow-empty #true } }
  upstream "listed" { discovery "static" { backends "127.0.0.1:9" } }
  upstream "filed" { discovery "file" { path "${folder}/targets"; watch-interval "1m" } }
  upstream "consul" { discovery "consul" { address "127.0.0.1:9"; service "a"; datacenter "b"; tag "c"; only-passing #false; token "d"; ca-cert "${folder}/cert.pem"; client-cert "${folder}/cert.pem"; client-key "${folder}/key.pem" } }
  upstream "docker" { discovery "docker" { address "127.0.0.1:9"; service "a"; network "b" } }
  upstream "pods" { discovery "kubernetes" { namespace "a"; service "b"; port-name "c"; kubeconfig "${folder}/kubeconfig" } }
  upstream "tls" { target "127.0.0.1:9"; tls { sni "a.test"; ca-cert "${folder}/cert.pem"; client-cert "${folder}/cert.pem"; client-key "${folder}/key.pem"; insecure-skip-verify #false } }
}
namespace "tenant" {
  limits { max-header-size "4KiB"; max-header-count 50; max-header-name-size 100; max-header-value-size 1000; max-body-size "1MiB"; max-body-buffer "1KiB"; max-body-inspection "1KiB"
    max-total-connections 5; max-connections-per-route 5; max-idle-connections-per-upstream 5; max-agent-queue-depth 5; max-agent-body "1KiB"; max-agent-response "1KiB"
    max-in-flight-requests 5; max-connections-per-client 5; max-requests-per-second-global 5; max-requests-per-second-per-client 5; max-requests-per-second-per-route 5 }
  listeners { listener "own" { address "127.0.0.1:0" } }
  upstreams { upstream "app" { target "127.0.0.1:9" } }
  routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
  service "part" { limits { max-in-flight-requests 5 }; listener { address "127.0.0.1:0" }; routes { route "all" { matches { path-prefix "/" }; upstream "app" } } }
  exports { upstreams "app" }
}
error-pages { default-format "html"; include-stack-trace #false; template-dir "${folder}"; upstream-errors #true; pages { "404" { format "json"; message "no"; headers { a "b" } }; "410" { template "${folder}/page.html" } } }
limits { max-decompression-ratio 50; max-decompressed-size "1MiB"; adaptive-concurrency { enabled #true; min-limit 5; max-limit 50; initial-limit 10; tolerance 2 }; max-requests-per-second-global 9; max-requests-per-second-per-client 9; max-requests-per-second-per-route 9 }
rate-limits { default-rps 100; default-burst 20; key "client-ip"; on-limit "delay"; max-delay "1s"; status-code 429; message "no"; max-keys 10; backend "redis" { url "redis+sentinel://127.0.0.1:9/main"; key-prefix "a"; pool-size 1; timeout "1ms"; on-failure "open" }; global { max-rps 1000; burst 10; key "client-ip" } }
cache { enabled #true; backend "hybrid"; disk-path "${folder}/kept"; disk-shards 2; disk-max-size "20MiB"; max-size "10MiB"; eviction-limit "9MiB"; lock-timeout "1s"; status-header #true; status-header-name "edge" }
filters {
  filter "patient" { type "timeout"; request-timeout "1m"; upstream-timeout "1s"; connect-timeout "1s" }
  filter "edit" { type "headers"; phase "both"; rename { a "b" }; set { c "d" }; add { e "f" }; remove "g"
    request { rename { a "b" }; set { c "d" }; add { e "f" }; remove "g" }; response { rename { a "b" }; set { c "d" }; add { e "f" }; remove "g" } }
  filter "rate" { type "rate-limit"; max-rps 5; burst 2; key "path"; on-limit "delay"; max-delay "1s"; status-code 429; message "no"; max-keys 10; backend "redis" { url "redis+sentinel://127.0.0.1:9/main"; key-prefix "a"; pool-size 1; timeout "1ms"; on-failure "open" } }
  filter "small" { type "compress"; algorithms "br"; level 4; min-size "1KiB"; content-types "text/html" }
  filter "sites" { type "cors"; allowed-origins "https://a.test"; allowed-origin-regex "b"; allowed-methods "GET"; allowed-headers "x"; exposed-headers "y"
    allow-credentials #true; allow-private-network #true; max-age "1h" }
  filter "moved" { type "redirect"; status-code 301; scheme "https"; port 8443; hostname "b.test"; replace-full-path "/" }
  filter "asked" { type "forward-auth"; url "http://127.0.0.1:9/"; method "GET"; request-headers "a"; response-headers "b"; user-header "b"; pass-cookies #false; redirect-scripts #true; send-body #true
    max-body-size "1KiB"; max-answer-size "1KiB"; timeout "1s"; max-connections 2; failure-mode "closed" }
  filter "asked-by-name" { type "forward-auth"; upstream "app"; path "/x" }
  filter "staff" { type "basic-auth"; users-file "${folder}/users"; users { a "$2y$04$MbU5bUaYp5yYl0v3qV3xT.Q4qG2tJmYy5xq1q1q1q1q1q1q1q1q1." }; realm "x"; user-header "x"; forward-credentials #true; max-failures 3; failure-window "1m" }
  filter "where" { type "geo"; database-path "${folder}/country.mmdb"; database-type "maxmind"; action "log-only"; countries "DE"; on-failure "closed"; status-code 403; block-message "no"; cache-ttl "1m"; add-country-header #false }
  filter "seen" { type "log"; log-request #false; log-response #false; log-body #true; max-body-log-size "1KiB"; level "debug"; fields "a" }
  filter "careful" { type "security-headers"; hsts "365d"; hsts-include-subdomains #true; hsts-preload #true; content-type-options #false; frame-options "deny"; referrer-policy "origin"; content-security-policy "a"
    content-security-policy-report-only #true; permissions-policy "a"; cross-origin-opener-policy "same-origin"; cross-origin-resource-policy "same-site"; cross-origin-embedder-policy "require-corp"; override #true; remove "a" }
  filter "bad-day" { type "fault-injection"; delay "1s"; delay-percentage 5; abort-status 503; abort-percentage 5; header "x" }
  filter "office" { type "ip-access"; default-action "block"; allow "127.0.0.1"; block "10.0.0.0/8"; allow-file "${folder}/addresses"; block-file "${folder}/addresses" }
  filter "by-pattern" { type "url-rewrite"; path-regex "^/a"; substitution "/b" }
  filter "inside" { type "url-rewrite"; hostname "c.test"; replace-prefix-match "/" }
}
filters { filter "step" { type "agent"; agent "named"; failure-mode "open"; timeout "1s"; mode "monitor"; max-concurrent-calls 5; phase "request"; inspect-body #true; max-body-size "1KiB" } }
agents {
  agent "named" { unix-socket "${folder}/named.sock"; managed #false; env { A "b" }; sets-headers "x-user"; events "request_headers"; max-timeout "2s"; request-body-mode "hybrid:1KiB"; response-body-mode "stream"; config { a 1 }
    event-timeouts { request-headers "1s"; request-body "1s"; response-headers "1s"; response-body "1s"; websocket-message "1s" }; chunk-timeout "1s"; against "direct" }
  agent "own" type="js" { script "${folder}/custom.js" }
  agent "direct" { grpc "127.0.0.1:9"; managed #false; circuit-breaker { failure-threshold 3 }; health-check { interval "1s" }; retry { max-attempts 2 }; pool { connections 1; connect-timeout "1s" }; http2 { keep-alive-interval "2s"; keep-alive-timeout "3s" } }
  agent "secure" { grpc "https://127.0.0.1:9" { ca-cert "${folder}/cert.pem"; client-cert "${folder}/cert.pem"; client-key "${folder}/key.pem"; server-name "a.test" }; managed #false }
  agent "housed" type="denylist" { host "house" }
  agent "far" { reverse { token "0123456789abcdef0123" } }
}
reverse-listener "unix:${folder}/agents.sock" { handshake-timeout "1s"; max-handshakes 5; socket-mode "0600"; socket-owner "${process.getuid!()}"; socket-group "${process.getgid!()}" }
reverse-listener "127.0.0.1:0" { tls { cert-file "${folder}/cert.pem"; key-file "${folder}/key.pem"; ca-file "${folder}/cert.pem" } }
waf {
  mode "detection"
  ruleset { paranoia-level 1; anomaly-threshold 5; exclusion { rule-ids "xss-active-tag"; scope "global" }; custom-rules-dir "${folder}"; paths "${folder}" }
  body-inspection { inspect-request-body #true; inspect-response-body #false; max-inspection-size "1MiB"; decompress #true; content-types "text/*"; max-decompression-ratio 50 }; audit-log #false
}
observability { redact { names "x-secret-thing"; except "state" }; logging { level "info"; format "json"; timestamps #true; file "${folder}/sentinel.log"; rotate { max-size "1MiB"; max-age "1d"; keep 3; compress #true } }
  access-log { file "${folder}/access.log"; format "json"; fields "ts"; request-headers "a"; response-headers "b"; attributes "c"; sample-rate 0.5; always-log-errors #true; buffer-size "8KiB"
    rotate { max-size "1MiB"; max-age "1d"; keep 3; compress #true } }
  error-log { file "${folder}/error.log"; level "warn"; buffer-size "8KiB"; rotate { max-size "1MiB"; max-age "1d"; keep 3; compress #true } }
  audit-log { file "${folder}/audit.log"; buffer-size "8KiB"; log-blocked #true; log-agent-decisions #true; log-waf-events #true; events "blocked"; rotate { max-size "1MiB"; max-age "1d"; keep 3; compress #true } }; metrics { address "127.0.0.1:0"; high-cardinality #true; otlp { endpoint "http://127.0.0.1:9"; protocol "http/json"; timeout "1s"; headers { a "b" }; token-file "${folder}/cert.pem"; interval "1h"; service-name "a" } }; tracing { enabled #true; sampling-rate 1; follow-caller #false; service-name "a"; propagation "b3"; backend "otlp" { endpoint "http://127.0.0.1:9"; protocol "grpc"; timeout "1s"; headers { a "b" }; token-file "${folder}/cert.pem" } } }
evidence { file "${folder}/evidence.jsonl" }
`
}

/** What a whole life of a proxy reads of a configuration that uses everything. */
async function lived (t: TestContext): Promise<{ unread: string[], reads: ReadonlySet<string>, loaded: Loaded }> {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-reads-'))
  t.after(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'cert.pem'), serverCertificate)
  writeFileSync(join(folder, 'custom.js'), 'export function onRequest () {}')
  writeFileSync(join(folder, 'key.pem'), serverKey)
  writeFileSync(join(folder, 'page.html'), '{{status}}')
  writeFileSync(join(folder, '404.html'), '{{status}}')
  writeFileSync(join(folder, 'users'), 'b:$2y$04$MbU5bUaYp5yYl0v3qV3xT.Q4qG2tJmYy5xq1q1q1q1q1q1q1q1q1.\n', { mode: 0o600 })
  writeFileSync(join(folder, 'country.mmdb'), maxMindFile({ '192.0.2.0/24': 'DE' }))
  writeFileSync(join(folder, 'addresses'), '10.1.0.0/16 # office\n')
  writeFileSync(join(folder, 'schema.json'), '{"type":"object"}')
  const loaded = checkText(everything(folder), join(folder, 'sentinel.kdl'), { env: {} })
  const { config, problems } = loaded
  assert.ok(config, problems.filter(({ severity }) => severity === 'error').map(({ message }) => message).join('\n'))
  const { watched, unread, reads } = watchReads(config)
  const around = { file: join(folder, 'sentinel.kdl'), env: {}, log: logTo({ level: 'error', write: () => {} }) }
  writeFileSync(around.file, everything(folder))
  const service = new Service({ ...around, succeeds: false, stop: () => Promise.resolve() })
  const proxy = new Proxy({ ...around, bound: service.bound, read: service.read })
  await proxy.start(watched, loaded)
  await service.serving(proxy, { ...loaded, config: watched })
  proxy.status()
  service.stopping(false)
  await proxy.stop()
  await service.close()
  return { unread: unread(), reads: reads(), loaded }
}

test('a setting is read by somebody or is on the list of what is not in effect, and never both', async (t) => {
  const { unread, reads, loaded } = await lived(t)
  assert.deepEqual(unread.filter((path) => !readByRun.includes(path)), [], 'declared and in effect, but nobody reads it')
  assert.deepEqual(unseen(table, effectiveConfig(loaded)), [], 'in effect, but not in the text above: nobody knows whether it is read')
  assert.deepEqual(unbuiltKeys(table).filter((path) => reads.has(path)), [], 'declared as not in effect, but somebody reads it')
  assert.deepEqual(unbuiltIn(effectiveConfig(loaded)), [], 'the text above is of what is in effect')
})

/** Declarations in effect that stand in no block of the tree. */
function unseen (fields: Fields, tree: readonly Effective[]): string[] {
  const seen = new Set<unknown>(Object.values(fields))
  for (const member of everyMember(tree)) if (member.kind === 'block') for (const field of Object.values(member.fields)) seen.add(field)
  return builtRows(fields).filter(({ field }) => !seen.has(field)).map(({ path }) => path.join('.'))
}

const declared = {
  used: setting(text, 'a', 'Used.'),
  forgotten: setting(text, 'b', 'Forgotten.'),
  later: notBuilt(setting(text, 'c', 'Later.')),
  things: named('thing', { later: notBuilt(setting(text, 'd', 'Later.')), inner: optionalBlock({ deep: setting(text, 'e', 'Deep.') }, 'Inner.') }, 'Things.'),
  kinds: namedVariants('kind', {
    tag: 'type', common: {}, notBuilt: ['c'],
    of: { a: { same: setting(text, 'f', 'Same.') }, b: { same: notBuilt(setting(text, 'g', 'Same.')), other: notBuilt(setting(text, 'h', 'Other.')) }, c: { third: setting(text, 'i', 'Third.') } },
  }, 'Kinds.'),
}

test('the comparison finds what is planted: forgotten, unlisted, and read too early', () => {
  const { watched, unread, reads } = watchReads({ used: 'a', forgotten: 'b', things: [{ inner: { deep: 'e' } }], kinds: [{ same: 'f', other: undefined }] })
  assert.equal(watched.used, 'a')
  assert.equal(watched.things[0]?.inner.deep, 'e')
  assert.equal(watched.kinds[0]?.other, undefined)
  assert.ok(!('later' in watched.things[0]!))
  assert.deepEqual(unread(), ['forgotten', 'kinds[].same'])
  assert.deepEqual(unbuiltKeys(declared), ['later', 'things[].later', 'kinds[].other'])
  assert.deepEqual(unbuiltKeys(declared).filter((path) => reads().has(path)), ['things[].later', 'kinds[].other'])
  const { nodes } = parseKdl('things { thing "x" }', 'a.kdl')
  assert.deepEqual(unseen(declared, effective(declared, nodes, { folderOf: () => '/' })), ['things.thing.inner.deep', 'kinds.kind.a.same'])
})

test('the list names every block, setting, variant and word that is not in effect, from the rows alone', () => {
  const listed = unbuilt({ ...declared, word: setting(words(['x'], { notBuilt: { y: 'x' }, refused: { z: 'no' } }), 'x', 'Word.'), dead: inert(text, 'Dead.', 'times are always there') })
  assert.deepEqual(listed.map(({ kind, path, word }) => [kind, path, ...word === undefined ? [] : [word]].join(' ')), [
    'setting later', 'setting things.thing.later', 'variant kinds.kind.type c', 'setting kinds.kind.b.same', 'setting kinds.kind.b.other', 'word word y',
  ])
  assert.ok(listed.every(({ doc }) => doc !== ''))
})
