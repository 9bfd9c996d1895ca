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
import {
  allow, anyText, block, bool, challenge, defineAgent, duration, flag, integer, list, number, numberBetween, oneOf, optional, redirect, refuse, section, sections, serve, setting,
  size, startAgent, text,
} from '@sentinel-proxy/sdk'
import type { Decision, RunningAgent, Store, ValueType } from '@sentinel-proxy/sdk'
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

// An answer of its own has what ends the exchange, whatever else was attached before.
export let decided = allow()
decided = block(429).withAttribute('quota', 'over').withBody('Slow down.').withHeader('retry-after', '1')
decided = challenge('Basic').withAudit({ reason: 'no_user' }).withBody('Who are you?')
// @ts-expect-error: what goes on has no body of its own
allow().withBody('x')
// @ts-expect-error: nor has what was only flagged, with more attached to it
flag().withAttribute('a', 'b').withBody('x')
// @ts-expect-error: a redirect has the header fields of the response
redirect('/').withHeader('a', 'b')
// @ts-expect-error: and so has a challenge
challenge('Basic').withHeader('a', 'b')

// Defaults are held against their type, as far as they are known.
declare const most: number, word: string, even: ValueType<number>
export const fitting = [
  setting(integer(1, 10), 1, ''), setting(integer(-10, 65_536), 65_536, ''), setting(integer(0, most), 7, ''), setting(integer(1, 10), most, ''),
  setting(integer(-20, -3), -4, ''), setting(numberBetween(0, 1), 0.5, ''), setting(numberBetween(0.25, 1e21), 0.3, ''), setting(number, -1.5, ''), setting(bool, true, ''),
  setting(duration, '1d2h30m', ''), setting(duration, '1.5s', ''), setting(duration, word, ''), setting(size, '64KiB', ''), setting(size, 4096, ''),
  setting(anyText, '', ''), setting(text, word, ''), setting(even, 3, ''), list(oneOf('a', 'b'), ['b'], ''), list(integer(1, 9), [1, 9], ''), list(text, [word], ''),
  setting<string>(text, 'a', ''), list<number>(integer(1, 9), [2], ''),
]
// @ts-expect-error: a number is no text
setting(integer(1, 10), 'x', '')
// @ts-expect-error: below
setting(integer(1, 10), 0, '')
// @ts-expect-error: above, though its digits are less
setting(integer(1, 9), 10, '')
// @ts-expect-error: below what is below zero
setting(integer(-20, -3), -21, '')
// @ts-expect-error: above by a fraction
setting(numberBetween(0, 0.5), 0.51, '')
// @ts-expect-error: not in quotes
setting(bool, 'true', '')
// @ts-expect-error: none of the words
setting(oneOf('soft', 'hard'), 'medium', '')
// @ts-expect-error: without its unit
setting(duration, '30', '')
// @ts-expect-error: a number of what?
setting(duration, 30, '')
// @ts-expect-error: a size begins with a number
setting(size, 'large', '')
// @ts-expect-error: empty
setting(text, '', '')
// @ts-expect-error: one of them is too large
list(integer(1, 9), [1, 90], '')
// @ts-expect-error: texts
list(text, [1], '')

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
