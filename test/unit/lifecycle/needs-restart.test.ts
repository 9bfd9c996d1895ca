import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkText, type SentinelConfig } from '../../../config/sentinel/index.ts'
import { agentEffects, needsRestart } from '../../../proxy/lifecycle/needs-restart.ts'

function config (parts: { listener?: string, agents?: string, observability?: string, more?: string } = {}): SentinelConfig {
  const loaded = checkText(`
listeners { ${parts.listener ?? 'listener "web" { address "127.0.0.1:80" }'} }
routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" { target "127.0.0.1:9" } }
agents { ${parts.agents ?? ''} }
observability { ${parts.observability ?? ''} }
${parts.more ?? ''}`, '/etc/sentinel.kdl', { env: {}, textOnly: true })
  assert.ok(loaded.config, loaded.problems.map(({ message }) => message).join('\n'))
  return loaded.config
}

test('what the program is told when it starts counts from the next start, and holds up nothing else', () => {
  const [need, ...more] = needsRestart(config(), config({ more: 'system { pid-file "/run/x.pid"; auto-reload #true; worker-threads 1 }' }))
  assert.deepEqual([need?.why, need?.reload, more], ['system { pid-file } changed: it counts from the next start', 'ignored', []])
})

test('a reload takes over everything: listeners, addresses, metrics, agents and the log', () => {
  const agent = (settings: string): { agents: string } => ({ agents: `agent "a" { ${settings} }` })
  const tls = 'listener "web" { address "127.0.0.1:80"; tls { cert-file "a.pem"; key-file "a.key" } }'
  for (const [old, next] of [
    [{}, { listener: 'listener "web" { address "127.0.0.1:81"; keepalive-timeout "1s" }' }], [{}, { listener: tls }], [{}, { more: 'limits { max-header-count 9 }' }],
    [{}, { observability: 'metrics { path "/m"; address "127.0.0.1:1" }; logging { format "json" }' }],
    [agent('command "x"; unix-socket "/run/a.sock"'), agent('command "y"; unix-socket "/run/a.sock"')],
  ] as const) assert.deepEqual(needsRestart(config(old), config(next)), [])
})

test('what happens to agents is told: a new process, a new connection, or a new configuration', () => {
  const effects = (old: string, next: string): string[] => agentEffects(config({ agents: old }), config({ agents: next })).map(({ what }) => what.split(',')[0]!)
  assert.deepEqual(effects('agent "a" { command "x" }', 'agent "a" { command "y" }'), ['a new process takes over'])
  assert.deepEqual(effects('agent "a" { grpc "h:1"; managed #false }', 'agent "a" { grpc "h:2"; managed #false }'), ['it is connected to anew'])
  assert.deepEqual(effects('agent "a" { command "x"; config { a 1 } }', 'agent "a" { command "x"; config { a 2 } }'), ['it is asked to take its new configuration'])
  assert.deepEqual(effects('agent "a" { command "x"; timeout "1s" }', 'agent "a" { command "x"; timeout "2s" }'), [])
})
