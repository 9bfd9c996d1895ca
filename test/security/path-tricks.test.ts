// The path that was judged is the path the upstream gets: no spelling of a guarded path reaches it through another route.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rawClient } from '../support/raw-client.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { startSentinel } from '../support/sentinel.ts'

const tricks = [
  '/admin', '/admin/', '//admin', '/./admin', '/public/../admin', '/public/%2e%2e/admin', '/public/.%2e/admin', '/public/%2E./admin/x', '/%61dmin', '/%61%64%6d%69%6e/x',
  '/public/..;/admin', '/public/..;x=1/admin', '/public/..%3b/admin', '/public/..%2fadmin', '/public%2f../admin', '/public/..%5cadmin', '/public/..\\admin', '/public\\..\\admin',
  '///admin///x', '/public//../admin', '/public/x/../../admin', '/../../admin', '/public/%2e%2e%2fadmin', '/admin/./x', '/admin/.;a=1/x', '/.//admin', '/%2e/admin',
  'http://a/public/../admin', 'http://a//admin', 'http://a/public/%2e%2e/admin?x=/public',
]

/** As the most obliging server reads it: everything decoded, both slashes, path parameters cut, dots resolved. */
function mostObliging (url: string): string {
  const path = decodeURIComponent(url.split('?')[0]!).replaceAll('\\', '/')
  const kept: string[] = []
  for (const segment of path.split('/').map((part) => part.split(';')[0]!)) {
    if (segment === '..') kept.pop()
    else if (segment !== '' && segment !== '.') kept.push(segment)
  }
  return '/' + kept.join('/')
}

test('a guarded path', async (t) => {
  const upstream = await startRecordingUpstream(t, (request, response) => response.end(request.url))
  const sentinel = await startSentinel(t, `
    listeners { listener "web" { address "127.0.0.1:0" } }
    routes {
      route "admin" { matches { path-prefix "/admin" }; upstream "nowhere" }
      route "rest" { matches { path-prefix "/" }; upstream "app" }
    }
    upstreams { upstream "app" { target "127.0.0.1:${upstream.port}" }; upstream "nowhere" { target "127.0.0.1:9" } }
    observability { metrics { address "127.0.0.1:0" } }`)
  for (const trick of tricks) {
    await t.test(`is not reached as ${trick}`, async (st) => {
      const before = upstream.requests.length
      const client = await rawClient(st, sentinel.port(), `GET ${trick} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
      assert.match(await client.ended(), /^HTTP\/1\.1 (?:502|400|404) /)
      for (const { url } of upstream.requests.slice(before)) assert.doesNotMatch(mostObliging(url), /^\/admin(?:\/|$)/, url)
    })
  }
})
