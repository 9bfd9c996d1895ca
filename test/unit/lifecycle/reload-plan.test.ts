import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkText } from '../../../config/sentinel/index.ts'
import { planReload, type LoadedWhole } from '../../../proxy/lifecycle/reload-plan.ts'
import type { PathFacts } from '../../../proxy/lifecycle/seam.ts'

function loaded (listeners: string, upstreams: string): LoadedWhole {
  const found = checkText(`
listeners { ${listeners} }
routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
upstreams { ${upstreams} }`, '/etc/sentinel.kdl', { env: {}, textOnly: true })
  assert.ok(found.config, found.problems.map(({ message }) => message).join('\n'))
  return { ...found, config: found.config }
}

const web = 'listener "web" { address "127.0.0.1:80" }'
const target = (exchanges: number, name: string) => ({ name, exchanges, connections: exchanges })
const facts: PathFacts = {
  connections: new Map([['web', 3], ['old', 2]]), agents: new Map(), upstreams: new Map([['app', [target(4, '10.0.0.1:80'), target(5, '10.0.0.2:80'), target(0, '10.0.0.3:80')]]]),
}
const all = 'upstream "app" { target "10.0.0.1:80"; target "10.0.0.2:80"; target "10.0.0.3:80" }'
const cuts = (old: LoadedWhole, next: LoadedWhole): unknown[] => {
  const { connections, exchanges } = planReload('/etc/sentinel.kdl', old, next, facts).cuts
  return [connections, exchanges]
}

test('what is open on addresses and targets that stay is not cut, whatever else changes', () => {
  const old = loaded(`${web}; listener "old" { address "127.0.0.1:81" }`, all)
  assert.deepEqual(cuts(old, old), [[], []])
  assert.deepEqual(cuts(old, loaded('listener "renamed" { address "127.0.0.1:80"; keepalive-timeout "1s" }; listener "old" { address "127.0.0.1:81" }', all)), [[], []])
  assert.deepEqual(cuts(old, loaded(web, 'upstream "app" { target "10.0.0.1:80" weight=5 }')), [
    [{ listener: 'old', open: 2 }], [{ upstream: 'app', target: '10.0.0.2:80', open: 5 }],
  ])
  assert.deepEqual(cuts(old, loaded('listener "web" { address "127.0.0.1:82" }', all)), [[{ listener: 'web', open: 3 }, { listener: 'old', open: 2 }], []])
})

test('of an upstream whose targets are discovered nobody knows before who goes', () => {
  const old = loaded(web, all)
  assert.deepEqual(cuts(old, loaded(web, 'upstream "app" { discovery "dns" { hostname "app.test"; port 80 } }')), [[], []])
})
