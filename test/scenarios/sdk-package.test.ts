import { strict as assert } from 'node:assert'
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { configure, kindOf, openStream, startAgent } from '../support/agent-process.ts'
import { installSdk } from '../support/installed-sdk.ts'
import { fromRoot } from '../support/paths.ts'

const { home, installed, tarball, link, write: written } = installSdk()

function run (file: string): string {
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--no-warnings', file], { cwd: home, encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  return stdout
}

test('the package holds the SDK, what it needs of protocol and settings, and nothing of the proxy', () => {
  const tops = new Set(readdirSync(installed))
  assert.deepEqual([...tops].sort(), ['API.md', 'LICENSE', 'README.md', 'config', 'docs', 'package.json', 'proto', 'sdk'])
  assert.deepEqual(readdirSync(join(installed, 'config')).sort(), ['kdl', 'schema'])
  const kilobytes = statSync(tarball).size / 1024
  assert.ok(kilobytes < 200, `the package has grown to ${Math.round(kilobytes)} KiB`)
  const texts = readdirSync(installed, { recursive: true, encoding: 'utf8' }).filter((path) => /\.(js|d\.ts)$/.test(path))
  assert.ok(texts.length > 100)
  for (const path of texts) assert.doesNotMatch(readFileSync(join(installed, path), 'utf8'), /from ['"][^'"]*(\.ts|\/proxy\/[^'"]*)['"]/, path)
})

test('a plain JavaScript agent runs on it, as a program that is asked over its socket', async (t) => {
  const program = written('agent.mjs', `
    import { block, defineAgent, list, serve, text } from '@sentinel-proxy/sdk'
    await serve(defineAgent({
      name: 'plain',
      config: { words: list(text, ['attack'], 'Words that are blocked.') },
      onRequest (request, { config }) {
        if (config.words.some((word) => request.path.includes(word))) return block(403).withBody({ why: 'word' })
      },
    }))`)
  const { client } = await startAgent(t, program)
  assert.equal((await configure(client, { words: ['bad', 'worse'] })).accepted, true)
  const refused = await configure(client, { wrods: 1 })
  assert.match(refused.problems[0]?.hint ?? '', /words/)
  const stream = openStream(t, client)
  assert.equal(kindOf(await stream.ask(1, '/worse')), 'block')
  assert.equal(kindOf(await stream.ask(2, '/attack')), 'allow')
})

test('its tests run on it, and CommonJS can require it', () => {
  const program = written('test.cjs', `
    const { block, defineAgent } = require('@sentinel-proxy/sdk')
    const { testAgent } = require('@sentinel-proxy/sdk/testing')
    const agent = defineAgent({ name: 'plain', onRequest: (request) => request.method === 'PUT' ? block(405) : undefined })
    testAgent(agent).then(async (tested) => {
      console.log((await tested.request('PUT', '/')).status, (await tested.request('GET', '/')).kind)
    })`)
  assert.equal(run(program), '405 allow\n')
})

test('a setting that needs an optional package says so when the package is not there', () => {
  const program = written('regex.mjs', `
    import { defineAgent, list, regex } from '@sentinel-proxy/sdk'
    import { testAgent } from '@sentinel-proxy/sdk/testing'
    const agent = defineAgent({ name: 'plain', config: { paths: list(regex, [], 'Paths.') }, onRequest () {} })
    await testAgent(agent, { config: { paths: '^/a' } }).catch((error) => console.log(error.message))`)
  assert.match(run(program), /npm install re2/)
})

test('workers say which package they need, and run when it is there', () => {
  const program = written('workers.mjs', `
    import { isMainThread } from 'node:worker_threads'
    import { block, defineAgent, startAgent } from '@sentinel-proxy/sdk'
    const agent = defineAgent({ name: 'threads', workers: { threads: 2, module: import.meta.url }, onRequest: () => block() })
    export default agent
    if (isMainThread) {
      await startAgent(agent, { listen: '127.0.0.1:0' }).then(
        async (running) => {
          console.log('served')
          await running.drain()
        },
        (error) => console.log(error.message),
      )
    }`)
  assert.match(run(program), /npm install piscina/)
  link('piscina')
  assert.equal(run(program), 'served\n')
})

const typed = `
import { allow, block, bool, defineAgent, duration, integer, list, oneOf, optional, refuse, section, sections, serve, setting, startAgent, text } from '@sentinel-proxy/sdk'
import type { Decision, RunningAgent, Store } from '@sentinel-proxy/sdk'
import { testAgent } from '@sentinel-proxy/sdk/testing'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false
function same<A, B> (_: Same<A, B>): void {}

const agent = defineAgent({
  name: 'typed',
  config: {
    max: setting(integer(1, 10), 3, 'How many.'),
    strict: setting(bool, false, 'Whether.'),
    mode: setting(oneOf('soft', 'hard'), 'soft', 'How.'),
    words: list(text, [], 'Which.'),
    ttl: optional(duration, 'For how long.'),
    limits: section({ perMinute: setting(integer(1, 100), 10, 'Rate.') }, 'Limits.'),
    rules: sections({ path: setting(text, '/', 'Where.') }, 'Rules.'),
  },
  prepare (config) {
    if (config.words.length > config.max) throw refuse('words', 'too many')
    return { set: new Set(config.words) }
  },
  async onRequest (request, { config, state, store, waitUntil }) {
    same<typeof config.max, number>(true)
    same<typeof config.strict, boolean>(true)
    same<typeof config.mode, 'soft' | 'hard'>(true)
    same<typeof config.words, readonly string[]>(true)
    same<typeof config.ttl, number | undefined>(true)
    same<typeof config.limits.perMinute, number>(true)
    same<typeof state.set, Set<string>>(true)
    same<typeof store, Store>(true)
    // @ts-expect-error: no such setting
    void config.maximum
    // @ts-expect-error: settings are read-only
    config.max = 4
    // @ts-expect-error: a status is a number
    block('403')
    const body: unknown = await request.json()
    waitUntil(() => store.set('last', JSON.stringify(body), { ttlMs: config.ttl ?? 1000 }))
    for (const [name, value] of request.headers) if (state.set.has(name + value)) return block(403).withHeader('retry-after', '1')
    const decision: Decision = allow().withAttribute('mode', config.mode)
    return decision
  },
  onRequestChunk: (chunk) => chunk.end ? undefined : block(413),
})

// @ts-expect-error: a handler returns a decision
defineAgent({ name: 'wrong', onRequest: () => true })
// @ts-expect-error: there is no such handler
defineAgent({ name: 'wrong', onReqest () {} })

export async function embedded (): Promise<string> {
  await using running: RunningAgent = await startAgent(agent, { listen: '127.0.0.1:0' })
  return running.address
}
export const tested = await testAgent(agent, { config: { max: 5 } })
await serve(agent)
`

test('settings are typed from their declaration, and what cannot work does not compile', () => {
  link('@types/node')
  link('undici-types')
  written('agent.ts', typed)
  written('tsconfig.json', JSON.stringify({
    // The types of the package are checked too.
    compilerOptions: { module: 'nodenext', target: 'es2022', lib: ['es2023', 'esnext.disposable'], strict: true, exactOptionalPropertyTypes: true, noEmit: true, skipLibCheck: false, types: ['node'] },
    files: ['agent.ts'],
  }))
  written('package.json', JSON.stringify({ type: 'module' }))
  const { stdout, status } = spawnSync(process.execPath, [fromRoot('node_modules', 'typescript', 'bin', 'tsc'), '-p', home, '--pretty', 'false'], { encoding: 'utf8' })
  assert.equal(stdout, '')
  assert.equal(status, 0)
})
