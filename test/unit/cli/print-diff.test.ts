import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compareEffective } from '../../../config/schema/index.ts'
import { checkText, effectiveConfig, type Loaded } from '../../../config/sentinel/index.ts'
import { printDiff, type Difference } from '../../../proxy/cli/print-diff.ts'
import { agentEffects, needsRestart } from '../../../proxy/lifecycle/needs-restart.ts'

const old = `listeners { listener "web" { address "127.0.0.1:80" } }
routes {
    route "api" {
        matches { path-prefix "/api" }
        upstream "backend"
        filters "waf" "auth"
    }
    route "rest" { priority "low"; upstream "backend" }
}
upstreams { upstream "backend" { target "10.0.0.1:80"; target "10.0.0.2:80" } }
agents {
    agent "waf" { config { level 1 } }
    agent "auth" { grpc "127.0.0.1:5000"; managed #false }
}
`

function load (text: string, file: string): Loaded {
  const loaded = checkText(text, file, { env: {}, textOnly: true })
  assert.ok(loaded.config, loaded.problems.map(({ message }) => message).join('\n'))
  return loaded
}

function difference (before: string, after: string): Difference {
  const [a, b] = [load(before, '/etc/old.kdl'), load(after, '/etc/new.kdl')]
  return {
    files: { old: '/etc/old.kdl', new: '/etc/new.kdl' }, names: { old: 'old.kdl', new: 'new.kdl' }, changes: compareEffective(effectiveConfig(a), effectiveConfig(b)),
    restart: needsRestart(a.config!, b.config!), agents: agentEffects(a.config!, b.config!),
  }
}

test('what changes is grouped by block, with both places, and what a reload would do stands below', () => {
  const next = old.replace('"/api"', '"/v2"').replace('"waf" "auth"', '"auth" "waf"').replace('target "10.0.0.2:80"', 'target "10.0.0.3:80" weight=5').replace('level 1', 'level 2')
  assert.equal(printDiff(difference(old, next), false), `old.kdl → new.kdl

routes
  route "api"
    matches
      ~ path-prefix: "/api" → "/v2"                       old.kdl:4 → new.kdl:4
    ~ filters (other order): "waf" "auth" → "auth" "waf"  old.kdl:6 → new.kdl:6
upstreams
  upstream "backend"
    - target "10.0.0.2:80"                                old.kdl:10
    + target "10.0.0.3:80"                                new.kdl:10
agents
  agent "waf"
    config
      ~ level: 1 → 2                                      old.kdl:12 → new.kdl:12

A reload takes over all of it at once.
  agent 'waf': it is asked to take its new configuration, and the reload fails when it refuses
`)
})

test('what needs a restart is said below the changes', () => {
  const found = difference(old, old.replace('127.0.0.1:80"', '127.0.0.1:81"'))
  const need = { what: 'the user', why: 'the user changed: that needs a restart' }
  assert.match(printDiff({ ...found, restart: [{ ...need, reload: 'refused' }] }, false), /A reload would refuse all of it, and keep the old configuration:\n {2}the user changed: that needs a restart\n$/)
  assert.match(printDiff({ ...found, restart: [{ ...need, reload: 'ignored' }] }, false), /A reload would change nothing:\n {2}the user/)
})

test('signs, places and the verdict have colours where they are wanted', () => {
  const printed = printDiff(difference(old, old.replace('; target "10.0.0.2:80"', '')), true)
  assert.match(printed, /\u001b\[31m-\u001b\[0m target "10\.0\.0\.2:80"/)
  assert.match(printed, /\u001b\[32mA reload takes over all of it at once\.\u001b\[0m/)
})

test('a name of a hostile file writes nothing to the terminal', () => {
  const found = difference(old, old.replace('level 1', '"\\u{1b}[2J" 1'))
  assert.ok(!printDiff(found, false).includes('\u001b'))
})
