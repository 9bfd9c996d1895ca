import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { watchReads } from '../../../config/schema/index.ts'
import { checkText } from '../../../config/sentinel/index.ts'
import { Proxy } from '../../../proxy/lifecycle/proxy.ts'
import { logTo } from '../../../proxy/observe/log.ts'
import { serverCertificate, serverKey } from '../../golden/certificates.ts'

/** Every setting that is in effect, once. What is not written here has its default, and is looked for as well. */
function everything (folder: string): string {
  return `
system { graceful-shutdown-timeout "1s"; log-level "error" }
listeners {
  listener "web" { address "127.0.0.1:0"; keepalive-max-requests 100; trusted-proxies "10.0.0.0/8"; redirect-https #true }
  listener "tls" {
    address "127.0.0.2:0"; protocol "https"
    tls { cert-file "${folder}/cert.pem"; key-file "${folder}/key.pem"; ca-file "${folder}/cert.pem"; client-auth "optional"; min-version "1.2"; max-version "1.3"; cipher-suites "TLS_AES_128_GCM_SHA256" }
  }
  listener "tenant" { address "127.0.0.1:0"; namespace "tenant" }
}
routes {
  route "all" {
    matches { path "/"; path-prefix "/"; path-regex "/"; host "a.test"; host-regex "a"; method "GET"; header "x" "y"; query-param "q" "v" }
    upstream "app"; other-upstreams "tls"; filters "step"; agents "direct"; max-body-size "1MiB"
  }
}
upstreams {
  upstream "app" { target "127.0.0.1:9" weight=2; load-balancing "weighted" }
  upstream "tls" { target "127.0.0.1:9"; tls { sni "a.test"; ca-cert "${folder}/cert.pem"; insecure-skip-verify #false } }
}
namespace "tenant" { }
filters { filter "step" { type "agent"; agent "named"; failure-mode "open"; timeout "1s"; mode "monitor" } }
agents {
  agent "named" { unix-socket "${folder}/named.sock"; managed #false; env { A "b" }; sets-headers "x-user"; events "request_headers"; max-timeout "2s"; request-body-mode "buffer"; response-body-mode "stream"; config { a 1 } }
  agent "direct" { grpc "127.0.0.1:9"; managed #false }
  agent "secure" { grpc "https://127.0.0.1:9" { ca-cert "${folder}/cert.pem"; client-cert "${folder}/cert.pem"; client-key "${folder}/key.pem"; server-name "a.test" }; managed #false }
}
observability { access-log { file "${folder}/access.log"; format "common" }; metrics { address "127.0.0.1:0" } }
evidence { file "${folder}/evidence.jsonl" }
`
}

test('every setting that is declared and in effect is read by somebody', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-reads-'))
  t.after(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'cert.pem'), serverCertificate)
  writeFileSync(join(folder, 'key.pem'), serverKey)
  const { config, problems } = checkText(everything(folder), join(folder, 'sentinel.kdl'), { env: {} })
  assert.ok(config, problems.filter(({ severity }) => severity === 'error').map(({ message }) => message).join('\n'))
  const { watched, unread } = watchReads(config)
  const proxy = new Proxy({ file: join(folder, 'sentinel.kdl'), env: {}, log: logTo({ level: 'error', write: () => {} }) })
  await proxy.start(watched)
  proxy.status()
  await proxy.stop()
  assert.deepEqual(unread(), [])
})
