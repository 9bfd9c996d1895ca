// Every folder of examples/ runs as it is written; only addresses are the test's.
import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { expected as customAgent } from '../../examples/custom-agent/expected.ts'
import { expected as customJavascript } from '../../examples/custom-javascript/expected.ts'
import type { Applications, Expectation, Feature } from '../../examples/expectation.ts'
import * as homelab from '../../examples/homelab/expected.ts'
import * as loadBalancer from '../../examples/load-balancer/expected.ts'
import { expected as mcpTools } from '../../examples/mcp-tools/expected.ts'
import * as microservices from '../../examples/microservices/expected.ts'
import { expected as observability } from '../../examples/observability/expected.ts'
import { expected as pythonAgent } from '../../examples/python-agent/expected.ts'
import { expected as quickstart } from '../../examples/quickstart/expected.ts'
import * as staticSite from '../../examples/static-site/expected.ts'
import { expected as systemd } from '../../examples/systemd/expected.ts'
import * as teams from '../../examples/teams/expected.ts'
import * as websocketChat from '../../examples/websocket-chat/expected.ts'
import { expected as waf } from '../../examples/waf/expected.ts'
import { adapted, missingFor, runExample } from '../support/example.ts'
import { fromRoot } from '../support/paths.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import type { Answer, RequestInit } from '../support/request.ts'
import { startSentinel } from '../support/sentinel.ts'

interface Example {
  readonly expected: readonly Expectation[]
  /** Without them, a server that keeps what it gets stands behind every target. */
  readonly applications?: Applications
  readonly features?: readonly Feature[]
}

const examples: Readonly<Record<string, Example>> = {
  'custom-agent': { expected: customAgent }, 'custom-javascript': { expected: customJavascript }, 'mcp-tools': { expected: mcpTools },
  observability: { expected: observability }, 'python-agent': { expected: pythonAgent }, quickstart: { expected: quickstart },
  systemd: { expected: systemd }, waf: { expected: waf },
  homelab, 'load-balancer': loadBalancer, microservices, 'static-site': staticSite, teams, 'websocket-chat': websocketChat,
}

const folders = readdirSync(fromRoot('examples'), { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => name)

test('there are examples, and each has a configuration, a README and expectations', () => {
  assert.deepEqual(folders.toSorted(), Object.keys(examples).toSorted())
  for (const folder of folders) {
    for (const file of ['sentinel.kdl', 'README.md', 'expected.ts']) assert.ok(existsSync(fromRoot('examples', folder, file)), join(folder, file))
  }
})

async function answerOf (ask: (path: string, init: RequestInit) => Promise<Answer>, { path, status, method, headers = {}, body, answerHeaders = {}, answerPart = '' }: Expectation): Promise<void> {
  const answer = await ask(path, { headers, ...method === undefined ? {} : { method }, ...body === undefined ? {} : { body } })
  assert.equal(answer.status, status, `${path} ${JSON.stringify(headers)} ${body?.slice(0, 200) ?? ''}: ${answer.text}`)
  for (const [name, value] of Object.entries(answerHeaders)) assert.equal(answer.headers[name], value, `${path}: ${name}`)
  assert.ok(answer.text.includes(answerPart), `${path} ${body ?? ''}: ${answer.text}`)
}

for (const folder of folders) {
  test(`the example ${folder} does what it says`, { skip: missingFor(folder) ?? false }, async (t) => {
    const { expected, applications, features = [] } = examples[folder]!
    assert.ok(expected.length > 0)
    if (applications === undefined) {
      const upstream = await startRecordingUpstream(t)
      const sentinel = await startSentinel(t, adapted(folder, () => upstream.port))
      for (const one of expected) {
        await answerOf(sentinel.request, one)
        for (const [name, value] of Object.entries(one.sentHeaders ?? {})) assert.equal(upstream.requests.at(-1)!.headers[name], value, `${one.path}: ${name} at the upstream`)
      }
      return
    }
    const running = await runExample(t, folder, applications)
    for (const one of expected) await answerOf(running.request, one)
    for (const { promise, holds } of features) await t.test(promise, () => holds(running))
  })
}
