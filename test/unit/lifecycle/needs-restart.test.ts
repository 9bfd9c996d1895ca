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

function needs (old: Parameters<typeof config>[0], next: Parameters<typeof config>[0], managed?: boolean): string[] {
  return needsRestart(config(old), config(next), managed === undefined ? {} : { runsAgent: () => managed }).map(({ what, reload }) => `${what} ${reload}`)
}

test('an open listener keeps its settings; it may come, go, and get another certificate', () => {
  const listener = 'listener "web" { address "127.0.0.1:80" }'
  assert.deepEqual(needs({}, {}), [])
  assert.deepEqual(needs({}, { listener: `${listener}; listener "two" { address "127.0.0.1:81" }` }), [])
  assert.deepEqual(needs({ listener: `${listener}; listener "two" { address "127.0.0.1:81" }` }, {}), [])
  assert.deepEqual(needs({}, { listener: 'listener "web" { address "127.0.0.1:81" }' }), ["listener 'web' refused"])
  assert.deepEqual(needs({}, { listener: 'listener "web" { address "127.0.0.1:80"; keepalive-timeout "1s" }' }), ["listener 'web' refused"])
  assert.deepEqual(needs({}, { more: 'limits { max-header-count 9 }' }), ["listener 'web' refused"])
  const tls = (name: string): string => `listener "web" { address "127.0.0.1:80"; tls { cert-file "${name}.pem"; key-file "${name}.key" } }`
  assert.deepEqual(needs({ listener: tls('a') }, { listener: tls('b') }), [])
  assert.deepEqual(needs({}, { listener: tls('a') }), ["listener 'web' refused"])
})

test('the metrics keep their address, however it is written', () => {
  assert.deepEqual(needs({ observability: 'metrics { address "0.0.0.0:9100" }' }, { observability: 'metrics { address ":9100" }' }), [])
  assert.deepEqual(needs({}, { observability: 'metrics { path "/m" }' }), ['the metrics refused'])
})

test('an agent of ours that becomes another process needs another socket', () => {
  const agent = (settings: string): { agents: string } => ({ agents: `agent "a" { ${settings} }` })
  const before = agent('command "x"; unix-socket "/run/a.sock"')
  assert.deepEqual(needs(before, agent('command "y"; unix-socket "/run/a.sock"')), ["agent 'a' refused"])
  assert.deepEqual(needs(before, agent('command "y"; unix-socket "/run/a.sock"'), false), [], 'somebody else serves the socket')
  assert.deepEqual(needs(before, agent('command "y"; unix-socket "/run/b.sock"')), [])
  assert.deepEqual(needs(before, agent('command "x"; unix-socket "/run/a.sock"; timeout "9s"; config { b 1 }')), [])
  assert.deepEqual(needs(agent('unix-socket "/run/a.sock"; managed #false'), agent('unix-socket "/run/a.sock"; managed #false; connections 2')), [])
})

test('what is read only at the start is taken over at the next one, and hinders nothing', () => {
  assert.deepEqual(needs({}, { observability: 'logging { format "json" }' }), ['the log ignored'])
})

test('what happens to agents is told: a new process, a new connection, or a new configuration', () => {
  const effects = (old: string, next: string): string[] => agentEffects(config({ agents: old }), config({ agents: next })).map(({ what }) => what.split(',')[0]!)
  assert.deepEqual(effects('agent "a" { command "x" }', 'agent "a" { command "y" }'), ['a new process takes over'])
  assert.deepEqual(effects('agent "a" { grpc "h:1"; managed #false }', 'agent "a" { grpc "h:2"; managed #false }'), ['it is connected to anew'])
  assert.deepEqual(effects('agent "a" { command "x"; config { a 1 } }', 'agent "a" { command "x"; config { a 2 } }'), ['it is asked to take its new configuration'])
  assert.deepEqual(effects('agent "a" { command "x"; timeout "1s" }', 'agent "a" { command "x"; timeout "2s" }'), [])
})
