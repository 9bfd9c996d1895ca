/** Each block of the reference has an example. Each is put where it belongs and loaded: what the page shows works. */
import { strict as assert } from 'node:assert'
import { describe, test } from 'node:test'
import type { BlockPage } from '../../config/schema/markdown.ts'
import { blockPages } from '../../config/schema/markdown.ts'
import { checkText, printProblems, table } from '../../config/sentinel/index.ts'

/** What examples refer to. */
const base: Readonly<Record<string, string>> = {
  listeners: 'listeners { listener "web" { address "127.0.0.1:8080" } }',
  routes: 'routes { route "api" { matches { path-prefix "/api" }; upstream "backend" } }',
  upstreams: 'upstreams { upstream "backend" { target "127.0.0.1:3000" }; upstream "canary" { target "127.0.0.1:3001" } }',
  filters: 'filters { filter "limit" { type "rate-limit"; max-rps 10 } }',
  agents: 'agents { agent "auth" { unix-socket "/run/sentinel/auth.sock" }; agent "waf" { type "waf" } }',
}

/** What stands around an example, by the path of the block it stands in. */
const around: Readonly<Record<string, (inner: string) => string>> = {
  'listeners.listener': inner => `listener "example" {\naddress "127.0.0.1:8443"\n${inner}\n}`,
  'listeners.listener.tls': inner => `tls {\n${inner.includes('acme') || inner.includes('cert-file') && !inner.includes('sni') ? '' : 'cert-file "a.crt"; key-file "a.key"'}\n${inner}\n}`,
  'routes.route': inner => `route "example" {\nmatches { path "/example" }\n${/static-files|builtin-handler|respond|upstream "/.test(inner) ? '' : 'upstream "backend"'}\n${inner}\n}`,
  'upstreams.upstream': inner => `upstream "example" {\n${/target|discovery/.test(inner) ? '' : 'target "127.0.0.1:3000"'}\n${inner}\n}`,
  'filters.filter': inner => `filter "example" {\n${inner}\n}`,
  'agents.agent': inner => `agent "example" {\n${/unix-socket|grpc|command|http /.test(inner) ? '' : 'unix-socket "/run/example.sock"; managed #false'}\n${inner}\n}`,
  namespace: inner => `namespace "example" {\n${inner}\n}`,
  'namespace.service': inner => `service "example" {\n${inner}\n}`,
}

function example ({ row, variant }: BlockPage): string | undefined {
  return variant === undefined ? row.example : row.variants?.examples[variant]
}

/** The example with everything around it. Things that gather (`routes`) are taken for granted where the example leaves them out. */
function whole (page: BlockPage): string {
  let text = example(page) ?? ''
  const { path, row } = page
  const own = row.kind !== undefined && row.direct !== true && text.trimStart().startsWith(`${row.kind} `) ? path.length - 1 : path.length - (row.kind !== undefined && row.direct !== true ? 2 : 1)
  for (let depth = own; depth > 0; depth--) {
    const frame = around[path.slice(0, depth).join('.')]
    text = frame === undefined ? `${path[depth - 1]} {\n${text}\n}` : frame(text)
  }
  const own0 = path[0] ?? ''
  const rest = Object.entries(base).filter(([name]) => name !== own0 || depthOf(text, own0)).map(([, piece]) => piece)
  return `${text}\n${rest.join('\n')}\n`
}

/** Whether an example of a top-level block leaves out what others refer to. */
function depthOf (text: string, name: string): boolean {
  const defined: Readonly<Record<string, RegExp>> = {
    listeners: /listener "web"/, routes: /route "api"/, upstreams: /upstream "backend"[^]*\{/, filters: /filter "limit"/, agents: /agent "(?:auth|waf)"/,
  }
  return defined[name]?.test(text) !== true
}

describe('every block of the reference has an example that loads', () => {
  for (const page of blockPages(table)) {
    if (page.sameAs !== undefined) continue
    const name = page.path.join('.') + (page.variant === undefined ? '' : ` of ${page.variant}`)
    test(name, () => {
      assert.ok(example(page) !== undefined, 'there is no example')
      const text = whole(page)
      const { problems, sources } = checkText(text, 'example.kdl', { env: {}, textOnly: true })
      const wrong = problems.filter(({ severity, code }) => severity === 'error' || code === 'CONFIG_OTHER_SPELLING')
      assert.equal(printProblems(wrong, sources), '', text)
    })
  }
})
