/** Each block of the reference has an example. Each is put where it belongs and loaded: what the page shows works. */
import { strict as assert } from 'node:assert'
import { describe, test } from 'node:test'
import type { BlockPage } from '../../config/schema/markdown.ts'
import { blockPages } from '../../config/schema/markdown.ts'
import { settingName } from '../../config/schema/index.ts'
import type { Problem } from '../../config/sentinel/index.ts'
import { checkText, printProblems, table } from '../../config/sentinel/index.ts'

/** What examples refer to. */
const base: Readonly<Record<string, string>> = {
  listeners: 'listeners { listener "web" { address "127.0.0.1:8080" } }',
  routes: 'routes { route "api" { matches { path-prefix "/api" }; upstream "backend" } }',
  upstreams: 'upstreams { upstream "backend" { target "127.0.0.1:3000" }; upstream "canary" { target "127.0.0.1:3001" } }',
  filters: 'filters { filter "limit" { type "rate-limit"; max-rps 10 } }',
  agents: 'agents { agent "auth" { unix-socket "/run/sentinel/auth.sock" }; agent "waf" { type "waf" } }',
}

/** Things with a name, by the path of the block: what stands around an example of something inside. */
const named: Readonly<Record<string, string>> = {
  'listeners.listener': 'listener "example"', 'routes.route': 'route "example"', 'upstreams.upstream': 'upstream "example"', 'filters.filter': 'filter "example"',
  'agents.agent': 'agent "example"', namespace: 'namespace "example"', 'namespace.service': 'service "example"',
}

/** What a block needs that stands around an example. */
const beside: Readonly<Record<string, string>> = { 'observability.logging.access-log': 'file "/var/log/sentinel/access.log"' }

function example ({ row, variant }: BlockPage): string | undefined {
  return variant === undefined ? row.example : row.variants?.examples[variant]
}

interface Placed {
  readonly text: string
  /** First and last line of the example in it. */
  readonly from: number
  readonly to: number
}

/** The example where it belongs, beside what it refers to. Examples of things with a name come with or without the block that gathers them. */
function placed ({ path, row, variant }: BlockPage, text: string): Placed {
  const gathers = row.kind !== undefined && row.direct !== true
  const bare = gathers && new RegExp(`^${row.kind} `).test(text.trimStart())
  const around = path.slice(0, gathers && !bare ? -2 : -1)
  const inFilter = path[0] === 'filters' && path.length > 2 && variant === undefined
  let whole = text
  for (let depth = around.length; depth > 0; depth--) {
    const block = around.slice(0, depth).join('.')
    const needed = depth === 2 && inFilter ? `type "${typeOf(path)}"` : beside[block] ?? ''
    whole = `${named[block] ?? around[depth - 1]} {\n${needed}\n${whole}\n}`
  }
  const from = whole.slice(0, whole.indexOf(text)).split('\n').length
  const needed = Object.entries(base).filter(([name]) => !whole.startsWith(name)).map(([, piece]) => piece)
  return { text: `${whole}\n${needed.join('\n')}\n`, from, to: from + text.split('\n').length - 1 }
}

/** The type of filter that has this block. */
function typeOf (path: readonly string[]): string {
  const { of = {} } = table.filters.row.variants ?? {}
  return Object.entries(of).find(([, fields]) => Object.entries(fields).some(([key, field]) => settingName(key, field) === path[2]))?.[0] ?? ''
}

/** The frame around an example has nothing but the example; what it misses is no mistake. Neither is what examples of the whole list name. */
function isWrong ({ severity, code, position }: Problem, { from, to }: Placed): boolean {
  const inside = position.line >= from && position.line <= to
  return inside && code !== 'CONFIG_UNKNOWN_REFERENCE' && (severity === 'error' || code === 'CONFIG_OTHER_SPELLING')
}

describe('every block of the reference has an example that loads', () => {
  for (const page of blockPages(table)) {
    if (page.sameAs !== undefined) continue
    const name = page.path.join('.') + (page.variant === undefined ? '' : ` of ${page.variant}`)
    test(name, () => {
      const text = example(page)?.trim()
      assert.ok(text !== undefined, 'there is no example')
      const whole = placed(page, text)
      const { problems, sources } = checkText(whole.text, 'example.kdl', { env: {}, textOnly: true })
      assert.equal(printProblems(problems.filter(problem => isWrong(problem, whole)), sources), '', whole.text)
    })
  }
})
