// `error-pages`: what clients read when the proxy itself answers with an error.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { startSentinel, type RunningSentinel } from '../support/sentinel.ts'
import { httpUpstream } from '../support/upstream.ts'

function templates (t: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-pages-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return folder
}

/** A route to nobody, and one whose upstream says 404 itself. */
async function start (t: TestContext, pages: string, forAll = ''): Promise<RunningSentinel> {
  const upstream = await httpUpstream(t, (request, response) => response.writeHead(Number(request.url!.split('/').at(-1)), { 'X-From': 'app', 'Retry-After': '7' }).end('said by the application'))
  return startSentinel(t, `${forAll}
listeners { listener "web" { address "127.0.0.1:0" } }
routes {
  route "broken" { matches { path-prefix "/broken" }; upstream "nobody"; error-pages { ${pages} } }
  route "app" { matches { path-prefix "/app" }; upstream "app"; error-pages { ${pages} } }
}
upstreams { upstream "nobody" { target "127.0.0.1:1" }; upstream "app" { target "127.0.0.1:${upstream.port}" } }
observability { metrics { enabled #false } }
`)
}

const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'

test('without a word about pages, the client chooses among JSON, HTML, text and XML', async (t) => {
  const sentinel = await startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "a" { matches { path "/a" }; respond 200 } }
observability { metrics { enabled #false } }
`)
  const type = async (accept: string | undefined): Promise<string> => String((await sentinel.get('/', { headers: accept === undefined ? {} : { Accept: accept } })).headers['content-type'])
  const json = 'application/problem+json'
  const html = 'text/html; charset=utf-8'
  for (const [accept, wanted] of [
    [undefined, json], ['*/*', json], [browser, html], ['application/json, text/html', json], ['text/html, application/json', html], ['text/html;q=0.5, application/json', json],
    ['text/plain', 'text/plain; charset=utf-8'], ['text/xml', 'application/problem+xml'], ['application/xml, */*;q=0.1', 'application/problem+xml'], ['image/png', json], ['text/html;q=0', json],
    ['application/json, text/plain, */*', json], ['text/html;q=nonsense', json],
  ] as const) assert.equal(await type(accept), wanted, accept)
  const { text, headers } = await sentinel.get('/<b>', { headers: { Accept: 'text/xml' } })
  assert.match(text, new RegExp(`<status>404</status>[\\s\\S]*<request_id>${String(headers['x-request-id'])}</request_id>`))
  assert.doesNotMatch(text, /<b>/)
})

test('a page says what the operator wrote, in the form that it has, with its fields', async (t) => {
  const sentinel = await start(t, `
    default-format "html"
    pages {
      "502" { message "We are <moving> house"; headers { X-Why "moving"; Cache-Control "max-age=5" } }
      "504" { format "json"; message "late" }
    }`)
  const page = await sentinel.get('/broken')
  assert.deepEqual([page.status, page.headers['content-type'], page.headers['x-why'], page.headers['cache-control']], [502, 'text/html; charset=utf-8', 'moving', 'max-age=5'])
  assert.match(page.text, /We are &#60;moving&#62; house/)
  const asked = await sentinel.get('/broken', { headers: { Accept: 'application/json' } })
  assert.equal((JSON.parse(asked.text) as { detail: string }).detail, 'We are <moving> house')
  const own = await sentinel.get('/app/404')
  assert.deepEqual([own.status, own.text, own.headers['x-from']], [404, 'said by the application', 'app'], 'what the application says stays what it is')
})

test('a template has its variables filled in, and none of them becomes anything but text', async (t) => {
  const folder = templates(t, {
    'page.html': '<h1>{{status}} {{ title }}</h1><p>{{message}}</p><a href="{{path}}">{{host}} {{method}}</a><i>{{request_id}}</i>{{detail}}',
    '502.json': '{"code": {{status}}, "path": "{{path}}", "id": "{{request_id}}", "host": "{{host}}"}', '5xx.txt': '{{status}} at {{path}}', 'other.css': '{{unknown}}',
  })
  const fixed = await start(t, `pages { "502" { template "${folder}/page.html"; } }`)
  const { text, headers } = await fixed.get(`/broken/"><script>'&x`.replaceAll(' ', ''), { host: 'a.test', headers: { Accept: 'application/json' } })
  assert.equal(headers['content-type'], 'text/html; charset=utf-8')
  assert.doesNotMatch(text, /<script|"><|'&x/)
  assert.match(text, new RegExp(`^<h1>502 Bad Gateway</h1><p>[^<{]+</p><a href="/broken/[^"<]*">a\\.test GET</a><i>${String(headers['x-request-id'])}</i>$`))
  const chosen = await start(t, `template-dir "${folder}"`)
  const json = await chosen.get('/broken/"\\', { host: 'a.test', headers: { Accept: 'application/json' } })
  assert.equal(json.headers['content-type'], 'application/json')
  const said = JSON.parse(json.text) as Record<string, unknown>
  assert.deepEqual([said['code'], said['host'], said['id']], [502, 'a.test', json.headers['x-request-id']])
  assert.equal((await chosen.get('/broken/x', { headers: { Accept: 'text/plain' } })).text, '502 at /broken/x')
  assert.match((await chosen.get('/broken', { headers: { Accept: browser } })).text, /This page comes from Sentinel/)
})

test('pages at the top level are for all routes and for requests without one; those of a route come before them', async (t) => {
  const sentinel = await start(t, 'default-format "text"; pages { "502" { message "of the route" } }',
    'error-pages { default-format "html"; pages { "404" { message "of all" }; "502" { message "of all" } } }')
  const missing = await sentinel.get('/nowhere')
  assert.deepEqual([missing.status, missing.headers['content-type']], [404, 'text/html; charset=utf-8'])
  assert.match(missing.text, /of all/)
  assert.match((await sentinel.get('/broken')).text, /^502 Bad Gateway\n\nof the route\n/)
})

test('what an upstream says of its errors is replaced where the route says so, for statuses with a page', async (t) => {
  const sentinel = await start(t, 'upstream-errors #true; pages { "404" { format "text"; message "nothing here" }; "503" { format "text"; message "soon" } }')
  const replaced = await sentinel.get('/app/404')
  assert.equal(replaced.status, 404)
  assert.match(replaced.text, /nothing here/)
  assert.equal(replaced.headers['x-from'], undefined)
  assert.equal((await sentinel.get('/app/503')).headers['retry-after'], '7')
  for (const status of [200, 418, 500]) assert.equal((await sentinel.get(`/app/${status}`)).text, 'said by the application')
  const head = await sentinel.get('/app/404', { method: 'HEAD' })
  assert.deepEqual([head.status, head.text], [404, ''])
})

test('nobody is told what went wrong inside, unless the operator wants that', async (t) => {
  const closed = await start(t, 'default-format "text"')
  const open = await start(t, 'default-format "text"; include-stack-trace #true')
  const inside = /127\.0\.0\.1|ECONNREFUSED|UPSTREAM_|\.js:\d+/
  assert.doesNotMatch((await closed.get('/broken')).text, inside)
  assert.match((await open.get('/broken')).text, inside)
})

test('a template that names what there is not keeps the configuration from being taken over, and the old pages stay', async (t) => {
  const folder = templates(t, { '404.html': 'first {{status}}' })
  const kdl = `listeners { listener "web" { address "127.0.0.1:0" } }
error-pages { template-dir "${folder}"; default-format "html" }
observability { metrics { enabled #false } }
`
  const sentinel = await startSentinel(t, kdl)
  assert.equal((await sentinel.get('/')).text, 'first 404')
  writeFileSync(join(folder, '404.html'), 'second {{statsu}}')
  const failed = await sentinel.reload(kdl)
  assert.equal(failed.event, 'reload-failed')
  assert.match(String(failed.msg), /404\.html: line 1 names \{\{statsu\}\}/)
  assert.equal((await sentinel.get('/')).text, 'first 404')
  writeFileSync(join(folder, '404.html'), 'second {{status}}')
  assert.equal((await sentinel.reload(kdl)).event, 'reloaded')
  assert.equal((await sentinel.get('/')).text, 'second 404')
})
