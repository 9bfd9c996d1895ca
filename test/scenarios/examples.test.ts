// Every folder of examples/ runs as it is written; only addresses are the test's.
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { expected as customAgent } from '../../examples/custom-agent/expected.ts'
import type { Expectation } from '../../examples/expectation.ts'
import { expected as observability } from '../../examples/observability/expected.ts'
import { expected as quickstart } from '../../examples/quickstart/expected.ts'
import { expected as systemd } from '../../examples/systemd/expected.ts'
import { expected as waf } from '../../examples/waf/expected.ts'
import { fromRoot } from '../support/paths.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { startSentinel } from '../support/sentinel.ts'

const expectations: Readonly<Record<string, readonly Expectation[]>> = { 'custom-agent': customAgent, observability, quickstart, systemd, waf }

const folders = readdirSync(fromRoot('examples'), { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => name)

/** Listeners and metrics on free ports, all targets on the test's upstream, sockets and programs where the example has them. */
function adapted (folder: string, upstreamPort: number): string {
  return readFileSync(fromRoot('examples', folder, 'sentinel.kdl'), 'utf8')
    .replace(/(listener "[^"]+" \{\s*address )"[^"]+"/g, '$1"127.0.0.1:0"')
    .replace(/(target (?:\{ address )?)"[^"]+"/g, `$1"127.0.0.1:${upstreamPort}"`)
    .replace(/(metrics \{\s*address )"[^"]+"/g, '$1"127.0.0.1:0"')
    .replace(/path "\/tmp\/[^"]+\.sock"/g, 'path "agent.sock"')
    .replace(/command "node" "([^"]+)"/g, (_, file: string) => `command ${JSON.stringify(process.execPath)} ${JSON.stringify(fromRoot('examples', folder, file))}`)
    .concat(/metrics \{/.test(readFileSync(fromRoot('examples', folder, 'sentinel.kdl'), 'utf8')) ? '' : '\nobservability { metrics { address "127.0.0.1:0" } }\n')
}

test('there are examples, and each has a configuration, a README and expectations', () => {
  assert.deepEqual(folders.toSorted(), Object.keys(expectations).toSorted())
  for (const folder of folders) {
    for (const file of ['sentinel.kdl', 'README.md', 'expected.ts']) assert.ok(existsSync(fromRoot('examples', folder, file)), join(folder, file))
  }
})

for (const folder of folders) {
  test(`the example ${folder} does what it says`, async (t) => {
    const expected = expectations[folder]!
    assert.ok(expected.length > 0)
    const upstream = await startRecordingUpstream(t)
    const sentinel = await startSentinel(t, adapted(folder, upstream.port))
    for (const { path, status, method, headers = {}, body, answerHeaders = {}, sentHeaders = {} } of expected) {
      const answer = await sentinel.request(path, { headers, ...method === undefined ? {} : { method }, ...body === undefined ? {} : { body } })
      assert.equal(answer.status, status, `${path} ${JSON.stringify(headers)} ${body ?? ''}: ${answer.text}`)
      for (const [name, value] of Object.entries(answerHeaders)) assert.equal(answer.headers[name], value, `${path}: ${name}`)
      for (const [name, value] of Object.entries(sentHeaders)) assert.equal(upstream.requests.at(-1)!.headers[name], value, `${path}: ${name} at the upstream`)
    }
  })
}
