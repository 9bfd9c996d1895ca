import { strict as assert } from 'node:assert'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, describe, test } from 'node:test'
import type { Loaded } from '../../../config/sentinel/index.ts'
import { loadConfig, printProblems } from '../../../config/sentinel/index.ts'

const scratch = mkdtempSync(join(tmpdir(), 'sentinel-include-'))
let folders = 0
after(() => rmSync(scratch, { recursive: true, force: true }))

const listener = 'listeners { listener "web" { address "127.0.0.1:0" } }\n'
const upstream = 'upstreams { upstream "app" { target "127.0.0.1:3000" } }\n'
const route = (name: string): string => `routes { route "${name}" { matches { path-prefix "/${name}" }; upstream "app" } }\n`

async function load (files: Readonly<Record<string, string>>, env: Readonly<Record<string, string>> = {}): Promise<Loaded & { folder: string, printed: string }> {
  const folder = join(scratch, String(++folders))
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  const loaded = await loadConfig(join(folder, 'sentinel.kdl'), { env })
  return { ...loaded, folder, printed: printProblems(loaded.problems, loaded.sources).replaceAll(`${folder}/`, '') }
}

describe('a configuration of several files', () => {
  test('what is included is read as if it stood in its place, patterns in sorted order', async () => {
    const { config, printed, files, folder } = await load({
      'sentinel.kdl': `${listener}include "routes/*.kdl" "upstreams.kdl"\n`,
      'routes/20-b.kdl': route('b'), 'routes/10-a.kdl': route('a'), 'routes/.hidden.kdl': 'nonsense', 'routes/notes.txt': 'nonsense',
      'upstreams.kdl': upstream,
    })
    assert.deepEqual(config?.routes.map(({ id }) => id), ['a', 'b'], printed)
    assert.deepEqual(files, ['sentinel.kdl', 'routes/10-a.kdl', 'routes/20-b.kdl', 'upstreams.kdl'].map(name => join(folder, name)))
  })

  test('included files include others, from their own folder, and name files from there', async () => {
    const { config, printed, folder } = await load({
      'sentinel.kdl': 'include "parts/all.kdl"\n', 'parts/all.kdl': `${listener}${upstream}include "deep/**/*.kdl"\nevidence { file "decisions.jsonl" }\n`, 'parts/deep/er/r.kdl': route('r'),
    })
    assert.deepEqual(config?.routes.map(({ id }) => id), ['r'], printed)
    assert.equal(config?.evidence?.file, join(folder, 'parts', 'decisions.jsonl'))
  })

  test('a pipe is no file to include: nobody waits for what somebody may write into it', async () => {
    const pipe = join(scratch, 'pipe.kdl')
    execFileSync('mkfifo', [pipe])
    const { printed } = await load({ 'sentinel.kdl': `${listener}include "../pipe.kdl"\n` })
    assert.match(printed, /the file "\.\.\/pipe\.kdl" cannot be included: it is not a file/)
  })

  test('problems have the place in the included file, with its line', async () => {
    const { config, printed } = await load({ 'sentinel.kdl': `${listener}${upstream}include "r.kdl"\n`, 'r.kdl': '\nroutes { route "a" { matches { path-prefx "/" }; upstream "ap" } }\n' })
    assert.equal(config, undefined)
    assert.match(printed, /^r\.kdl:2:32: CONFIG_UNKNOWN_SETTING: .*\n +2 \| routes/m)
    assert.match(printed, /^r\.kdl:2:59: CONFIG_UNKNOWN_REFERENCE: .*did you mean 'app'/ms)
  })

  test('the same name in two files is an error that names both places', async () => {
    const { printed } = await load({ 'sentinel.kdl': `${listener}${upstream}include "*-r.kdl"\n`, 'a-r.kdl': route('a'), 'b-r.kdl': `\n${route('a')}` })
    assert.match(printed, /b-r\.kdl:2:16: CONFIG_DUPLICATE_ID: there are two routes named 'a'[^]*the first one is at a-r\.kdl:1:16/)
  })

  test('a block that may stand once is an error in the second file', async () => {
    const { printed } = await load({ 'sentinel.kdl': `system { }\n${listener}${upstream}${route('a')}include "s.kdl"\n`, 's.kdl': 'system { }\n' })
    assert.match(printed, /s\.kdl:1:1: CONFIG_REPEATED: [^]*it was given before at sentinel\.kdl:1:1/)
  })

  test('a file that is included twice is an error that names both places', async () => {
    const { printed } = await load({ 'sentinel.kdl': 'include "a.kdl" "b.kdl"\n', 'a.kdl': 'include "c.kdl"', 'b.kdl': 'include "c.kdl"', 'c.kdl': listener })
    assert.match(printed, /b\.kdl:1:9: CONFIG_INCLUDE: 'c\.kdl' is included twice[^]*it was included before at a\.kdl:1:9/)
  })

  test('a circle is an error, with the first file and between others, also through a link', async () => {
    const first = await load({ 'sentinel.kdl': 'include "a.kdl"\n', 'a.kdl': 'include "sentinel.kdl"' })
    assert.match(first.printed, /a\.kdl:1:9: CONFIG_INCLUDE: 'sentinel\.kdl' includes itself in a circle[^]*everything begins with, at sentinel\.kdl:1:1/)
    const others = await load({ 'sentinel.kdl': '\ninclude "a.kdl"\n', 'a.kdl': 'include "b.kdl"', 'b.kdl': 'include "a.kdl"' })
    assert.match(others.printed, /b\.kdl:1:9: CONFIG_INCLUDE: 'a\.kdl' includes itself in a circle[^]*it was included before at sentinel\.kdl:2:9/)
    const { folder } = await load({ 'sentinel.kdl': 'include "link.kdl"\n' })
    symlinkSync(join(folder, 'sentinel.kdl'), join(folder, 'link.kdl'))
    const { problems } = await loadConfig(join(folder, 'sentinel.kdl'), { env: {} })
    assert.ok(problems.some(({ message }) => message.includes('in a circle')))
  })

  test('a file that is not there is an error, a pattern that matches nothing a warning', async () => {
    const { printed, problems } = await load({ 'sentinel.kdl': `${listener}${upstream}${route('a')}include "none.kdl"\ninclude "none/*.kdl"\n` })
    assert.match(printed, /sentinel\.kdl:4:9: CONFIG_INCLUDE: the file "none\.kdl" cannot be included: there is no such file/)
    assert.match(printed, /sentinel\.kdl:5:9: CONFIG_INCLUDE \(warning\): no file matches "none\/\*\.kdl"/)
    assert.deepEqual(problems.map(({ severity }) => severity), ['error', 'warning'])
  })

  test('where a file could not be read, nothing is said to be missing', async () => {
    const { problems } = await load({ 'sentinel.kdl': `${listener}${route('a')}include "u.kdl"\n`, 'u.kdl': 'upstreams {\n' })
    assert.deepEqual(problems.filter(({ severity }) => severity === 'error').map(({ code }) => code), ['CONFIG_SYNTAX'])
  })

  test('an include inside of a block is told where it belongs', async () => {
    const { printed } = await load({ 'sentinel.kdl': `${listener}${upstream}routes { include "a.kdl" }\n` })
    assert.match(printed, /'routes' holds only 'route', found 'include'/)
    const inRoute = await load({ 'sentinel.kdl': `${listener}${upstream}routes { route "a" { include "a.kdl" } }\n` })
    assert.match(inRoute.printed, /it stands at the top level/)
  })

  test('the name may come from the environment, and includes with blocks or other values are refused', async () => {
    const { config, printed } = await load({ 'sentinel.kdl': `${listener}${upstream}include "\${STAGE}.kdl"\n`, 'live.kdl': route('live') }, { STAGE: 'live' })
    assert.deepEqual(config?.routes.map(({ id }) => id), ['live'], printed)
    const { problems } = await load({ 'sentinel.kdl': `${listener}${upstream}${route('a')}include\ninclude 5\ninclude "" { x 1 }\n` })
    assert.deepEqual(problems.map(({ code }) => code), ['CONFIG_MISSING', 'CONFIG_TYPE', 'CONFIG_TYPE', 'CONFIG_EXTRA'])
  })

  test('files that are not KDL are refused by their name', async () => {
    for (const name of ['a.json', 'a.yaml', 'a.toml']) {
      const { printed } = await load({ 'sentinel.kdl': `include "${name}"\n`, [name]: '{}' })
      assert.match(printed, /configurations are written in KDL, not in/)
    }
    const { printed } = await load({ 'sentinel.kdl': '{ "listeners": [] }\n' })
    assert.match(printed, /sentinel\.kdl:1:1: CONFIG_UNREADABLE: this is JSON; configurations are written in KDL/)
  })

  test('nesting without end is stopped', async () => {
    const files: Record<string, string> = { 'sentinel.kdl': 'include "0.kdl"\n' }
    for (let depth = 0; depth < 30; depth++) files[`${depth}.kdl`] = `include "${depth + 1}.kdl"\n`
    const { printed } = await load(files)
    assert.match(printed, /15\.kdl:1:9: CONFIG_INCLUDE: includes are nested more than 16 deep/)
  })
})
