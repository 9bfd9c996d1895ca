// Names of files and folders are text of strangers: they become no HTML in a listing, and no address of another host in a redirect.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { rawClient } from '../support/raw-client.ts'
import { startSentinel } from '../support/sentinel.ts'

async function serve (t: TestContext, names: readonly string[]) {
  const root = mkdtempSync(join(tmpdir(), 'sentinel-names-'))
  t.after(() => rmSync(root, { recursive: true, force: true }))
  for (const name of names) {
    if (name.endsWith('/')) mkdirSync(join(root, name), { recursive: true })
    else writeFileSync(join(root, name), 'x')
  }
  return startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "files" { matches { path-prefix "/" }; static-files { root "${root}"; directory-listing #true } } }
observability { metrics { enabled #false } }
`)
}

test('a listing says names as text, and links that stay where they are', async (t) => {
  const names = ['<img src=x onerror=alert(1)>', '"><script>', "' onmouseover='x", 'javascript:alert(1)', '&lt;b&gt;', 'a b?c#d%2f', 'ü', '\u202etxt.exe']
  const sentinel = await serve(t, [...names, '<b>folder/', '<b>folder/x'])
  const { text, headers } = await sentinel.get('/')
  assert.doesNotMatch(text, /<img|<script|onmouseover='|href="javascript/)
  assert.match(String(headers['content-security-policy']), /default-src 'none'/)
  assert.equal(headers['x-content-type-options'], 'nosniff')
  const links = [...text.matchAll(/href="([^"]*)"/g)].map(([, link]) => link!)
  assert.ok(links.every((link) => /^\.\/[\w%.!~*'()-]+\/?$/.test(link)), links.join(' '))
  for (const name of names) assert.ok(links.includes(`./${encodeURIComponent(name)}`), name)
  assert.doesNotMatch((await sentinel.get('/%3Cb%3Efolder/')).text, /<b>/)
})

test('the way into a folder stays on this host, whatever the path looks like', async (t) => {
  const sentinel = await serve(t, ['evil.test/', 'a:b/', 'http:/', 'evil.test/evil.test/', 'sub/evil.test/', '\\evil.test/'])
  const paths = ['//evil.test', '///evil.test', '/\\evil.test', '/%5cevil.test', '/%2f%2fevil.test', '//evil.test/%2e%2e/evil.test', '/a:b', '/http:', '//evil.test//evil.test', '/sub/..//evil.test', '/.//evil.test', '/sub//evil.test?//evil.test']
  for (const path of paths) {
    const client = await rawClient(t, sentinel.port(), `GET ${path} HTTP/1.1\r\nHost: here.test\r\nConnection: close\r\n\r\n`)
    const answer = await client.ended()
    const location = /^location: (.*)\r$/im.exec(answer)?.[1]
    if (location === undefined) {
      assert.match(answer, /^HTTP\/1\.1 (?:200|400|404) /, path)
      continue
    }
    const base = `http://here.test${path.replaceAll('\\', '%5C')}`
    assert.equal(new URL(location, base).origin, 'http://here.test', `${path} → ${location}`)
    assert.match(location, /^\.\/[^/]+\//)
  }
})
