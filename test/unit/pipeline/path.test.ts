import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readPath } from '../../../proxy/pipeline/path.ts'

const same: readonly string[] = ['/', '/a', '/a/', '/a/b.c', '/a/b-c_d~e', '/a:b@c', "/it's(ok)!", '/.well-known/x', '/a/..b', '/a/b..', '/...', '*']

for (const path of same) {
  test(`${path} is judged and sent as it came`, () => {
    assert.deepEqual(readPath(path), { path, upstreamPath: path })
  })
}

/** raw, judged, sent */
const rows: ReadonlyArray<readonly [string, string, string]> = [
  ['', '/', '/'],
  ['/%61dmin', '/admin', '/%61dmin'],
  ['/a%2fb', '/a%2Fb', '/a%2fb'],
  ['/a//b', '/a/b', '/a//b'],
  ['//admin', '/admin', '//admin'],
  ['/a b', '/a b', '/a b'],
  ['/%zz', '/%zz', '/%zz'],
  ['/a/./b', '/a/b', '/a/b'],
  ['/a/../b', '/b', '/b'],
  ['/a/..', '/', '/'],
  ['/a/b/..', '/a/', '/a/'],
  ['/../../etc/passwd', '/etc/passwd', '/etc/passwd'],
  ['/public/%2e%2e/admin', '/admin', '/admin'],
  ['/public/.%2E/admin', '/admin', '/admin'],
  ['/public/..%2fadmin', '/admin', '/admin'],
  ['/public/..%5cadmin', '/admin', '/admin'],
  ['/public/..\\admin', '/admin', '/admin'],
  ['/public/..;/admin', '/admin', '/admin'],
  ['/public/..;x=1/admin', '/admin', '/admin'],
  ['/admin/..%2fpublic', '/public', '/public'],
  ['/a%2fb/..%2fc', '/a/c', '/a/c'],
]

for (const [raw, path, upstreamPath] of rows) {
  test(`${raw} is judged as ${path} and sent as ${upstreamPath}`, () => {
    assert.deepEqual(readPath(raw), { path, upstreamPath })
  })
}

test('reading a path twice changes nothing', () => {
  for (const [raw] of rows) {
    const { path } = readPath(raw)
    assert.equal(readPath(path).path, path)
  }
})
