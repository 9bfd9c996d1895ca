// RFC 9111 section 3 and 4.2, RFC 9213: which answers are kept, and for how long. Each row is one answer and what is done for the next request.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { cacheRoute, second, type Asked, type Origin } from '../support/cache-route.ts'

interface Row {
  readonly says: readonly string[]
  readonly status?: number
  readonly first?: Asked
  readonly second?: Asked
  readonly afterMs?: number
  readonly defaultTtlMs?: number
  /** Whether the next request is answered without the upstream. */
  readonly reused: boolean
}

const date = (offsetSeconds: number): string => new Date(Date.UTC(2030, 0, 2, 3, 4, 5) + offsetSeconds * second).toUTCString()
const cc = (value: string): readonly string[] => ['Cache-Control', value]
const validator = ['ETag', '"v"']

const groups: Readonly<Record<string, Readonly<Record<string, Row>>>> = {
  'lifetime that is said': {
    'max-age': { says: cc('max-age=60'), afterMs: 59 * second, reused: true },
    'max-age that is over': { says: cc('max-age=60'), afterMs: 60 * second, reused: false },
    'max-age=0': { says: cc('max-age=0'), reused: false },
    'max-age below zero': { says: cc('max-age=-1'), reused: false },
    'max-age=0 and Expires in the future': { says: [...cc('max-age=0'), 'Expires', date(3600)], reused: false },
    'max-age and Expires in the past': { says: [...cc('max-age=60'), 'Expires', date(-3600)], reused: true },
    's-maxage': { says: cc('s-maxage=60'), reused: true },
    's-maxage before max-age': { says: cc('max-age=60, s-maxage=1'), afterMs: 2 * second, reused: false },
    's-maxage before max-age, the other way round': { says: cc('s-maxage=60, max-age=1'), afterMs: 2 * second, reused: true },
    's-maxage in another line': { says: [...cc('max-age=60'), ...cc('s-maxage=1')], afterMs: 2 * second, reused: false },
    'more seconds than a number of 31 bits': { says: cc('max-age=99999999999'), afterMs: 1e9 * second, reused: true },
    'Expires': { says: ['Expires', date(60)], afterMs: 59 * second, reused: true },
    'Expires that is over': { says: ['Expires', date(60)], afterMs: 60 * second, reused: false },
    'Expires now': { says: ['Expires', date(0)], reused: false },
    'Expires before a Date that is ahead': { says: ['Date', date(7200), 'Expires', date(3600)], reused: false },
    'Expires of a clock that is late counts from its Date': { says: ['Date', date(-3600), 'Expires', date(-3000)], reused: false },
    'must-revalidate as long as it is fresh': { says: cc('max-age=60, must-revalidate'), reused: true },
    'proxy-revalidate as long as it is fresh': { says: cc('max-age=60, proxy-revalidate'), reused: true },
    'immutable gives no time': { says: [...cc('immutable'), ...validator], reused: false },
  },
  'directives that cannot be read make an answer stale': {
    'a name in other letters': { says: cc('MaX-aGe=60'), reused: true },
    'a value in quotes': { says: cc('max-age="60"'), reused: true },
    'a value in single quotes': { says: cc("max-age='60'"), reused: false },
    'a directive in a quoted string': { says: cc('extension="max-age=60", max-age=0'), reused: false },
    'a directive in a quoted string behind': { says: cc('max-age=0, extension="max-age=60"'), reused: false },
    'commas in a quoted string': { says: cc('extension="a, max-age=60, b", s-maxage=0'), reused: false },
    'an escaped quote in a quoted string': { says: cc('extension="a\\", max-age=60, \\"b"'), reused: false },
    'a quoted string without an end': { says: cc('extension="a, max-age=60'), reused: false },
    'a fraction': { says: cc('max-age=60.5'), reused: false },
    'letters': { says: cc('max-age=60s'), reused: false },
    'nothing': { says: cc('max-age='), reused: false },
    'no value': { says: cc('max-age'), reused: false },
    'white space around the value': { says: cc('max-age= 60'), reused: false },
    'zeros in front': { says: cc('max-age=0060'), afterMs: 59 * second, reused: true },
    'two values': { says: cc('max-age=60, max-age=120'), reused: false },
    'the same twice': { says: cc('max-age=60, max-age=60'), reused: true },
    'an unknown directive beside': { says: cc('max-age=60, whatever=1, other'), reused: true },
    'empty members': { says: cc(',, max-age=60 ,,'), reused: true },
    'Expires: 0': { says: ['Expires', '0'], reused: false },
    'Expires that is no date': { says: ['Expires', 'Thu, 18 Aug 2050 02:01:18'], reused: false },
    'Expires with dashes': { says: ['Expires', 'Thu, 18-Aug-2050 02:01:18 GMT'], reused: false },
    'Expires of another zone': { says: ['Expires', 'Thu, 18 Aug 2050 02:01:18 AEST'], reused: false },
    'Expires twice': { says: ['Expires', date(60), 'Expires', date(-60)], reused: false },
    'Expires in the form of RFC 850': { says: ['Expires', 'Wednesday, 02-Jan-30 04:04:05 GMT'], reused: true },
    'Expires in the form of asctime': { says: ['Expires', 'Wed Jan  2 04:04:05 2030'], reused: true },
  },
  'age': {
    'an Age below the lifetime': { says: [...cc('max-age=60'), 'Age', '30'], afterMs: 29 * second, reused: true },
    'an Age that leaves nothing': { says: [...cc('max-age=60'), 'Age', '30'], afterMs: 31 * second, reused: false },
    'an Age above the lifetime': { says: [...cc('max-age=60'), 'Age', '61'], reused: false },
    'an Age above Expires minus Date': { says: ['Date', date(0), 'Expires', date(60), 'Age', '120'], reused: false },
    'a Date long ago': { says: ['Date', date(-120), ...cc('max-age=60')], reused: false },
    'a Date in the future': { says: ['Date', date(120), ...cc('max-age=60')], reused: true },
    ...Object.fromEntries(['abc', '-7200', '7200.0', '7200, 0', '0, 0', '7200;foo=bar', '3600, 3600'].map((age) => (
      [`an Age of ${JSON.stringify(age)} says nothing, so that the answer is stale`, { says: [...cc('max-age=3600'), 'Age', age], reused: false }]
    ))),
    'two lines of Age': { says: [...cc('max-age=3600'), 'Age', '0', 'Age', '0'], reused: false },
  },
  'answers that are not for others, or not to be kept': {
    'no-store': { says: cc('no-store'), reused: false },
    'no-store in other letters': { says: cc('No-StOrE'), reused: false },
    'no-store beside a lifetime': { says: [...cc('no-store, max-age=60'), 'Expires', date(60)], reused: false },
    'no-cache': { says: cc('no-cache, max-age=60'), reused: false },
    'no-cache in other letters': { says: cc('No-CaChE, max-age=60'), reused: false },
    'no-cache with names of fields': { says: cc('no-cache="a", max-age=60'), reused: false },
    'private': { says: cc('private, max-age=60'), reused: false },
    'private with names of fields': { says: cc('private="a", max-age=60'), reused: false },
    'Set-Cookie': { says: [...cc('max-age=60'), 'Set-Cookie', 'a=b'], reused: false },
    'Set-Cookie, though it says public': { says: [...cc('public, max-age=60'), 'Set-Cookie', 'a=b'], reused: false },
    'no-store in the request': { says: cc('max-age=60'), first: { headers: ['Cache-Control', 'no-store'] }, reused: false },
    'a password in the request': { says: cc('max-age=60'), first: { headers: ['Authorization', 'Basic a'] }, second: { headers: ['Authorization', 'Basic a'] }, reused: false },
    'a password, and must-revalidate': { says: cc('max-age=60, must-revalidate'), first: { headers: ['Authorization', 'Basic a'] }, reused: false },
    'a password, and public': { says: cc('max-age=60, public'), first: { headers: ['Authorization', 'Basic a'] }, reused: true },
    'a password, and s-maxage': { says: cc('s-maxage=60'), first: { headers: ['Authorization', 'Basic a'] }, reused: true },
    'must-understand, and a status that is understood': { says: cc('no-store, must-understand, max-age=60'), reused: true },
    'must-understand, and a status that is not': { says: cc('must-understand, max-age=60'), status: 599, reused: false },
    'an unknown status with a lifetime': { says: cc('max-age=60'), status: 599, reused: true },
    'a part': { says: [...cc('max-age=60'), 'Content-Range', 'bytes 0-0/1'], status: 206, reused: false },
    'a status that is not listed': { says: cc('max-age=60'), status: 201, reused: false },
    'Vary: *': { says: [...cc('max-age=60'), 'Vary', '*'], reused: false },
    'Vary: *, *': { says: [...cc('max-age=60'), 'Vary', '*, *'], reused: false },
    'Vary: , *': { says: [...cc('max-age=60'), 'Vary', ', *'], reused: false },
    'Vary: * among others': { says: [...cc('max-age=60'), 'Vary', 'Foo, *'], reused: false },
    'Vary: * in another line': { says: [...cc('max-age=60'), 'Vary', 'Foo', 'Vary', '*'], reused: false },
    'a POST': { says: cc('max-age=60'), first: { method: 'POST' }, reused: false },
  },
  'where nothing is said (section 4.2.2)': {
    'the default': { says: [], defaultTtlMs: 60 * second, afterMs: 59 * second, reused: true },
    'the default, over': { says: [], defaultTtlMs: 60 * second, afterMs: 60 * second, reused: false },
    'a tenth of the time since the last change': { says: ['Last-Modified', date(-300)], defaultTtlMs: 3600 * second, afterMs: 29 * second, reused: true },
    'no more than a tenth': { says: ['Last-Modified', date(-300)], defaultTtlMs: 3600 * second, afterMs: 31 * second, reused: false },
    'a status of which nothing may be guessed': { says: ['Last-Modified', date(-86_400)], status: 302, defaultTtlMs: 60 * second, reused: false },
    'an error of which nothing may be guessed': { says: ['Last-Modified', date(-86_400)], status: 599, defaultTtlMs: 60 * second, reused: false },
    'public makes it guessable': { says: cc('public'), status: 302, defaultTtlMs: 60 * second, reused: true },
    'a cookie in the request: it may be for one client': { says: [], first: { headers: ['Cookie', 'a=b'] }, defaultTtlMs: 60 * second, reused: false },
    'a cookie in the request, and the answer says for how long': { says: cc('max-age=60'), first: { headers: ['Cookie', 'a=b'] }, reused: true },
    'Pragma: no-cache of an answer says nothing': { says: [...cc('max-age=60'), 'Pragma', 'no-cache'], reused: true },
  },
  'CDN-Cache-Control (RFC 9213) goes before': {
    'a longer lifetime': { says: [...cc('max-age=1'), 'CDN-Cache-Control', 'max-age=60'], afterMs: 30 * second, reused: true },
    'a shorter lifetime': { says: [...cc('max-age=60'), 'CDN-Cache-Control', 'max-age=1'], afterMs: 2 * second, reused: false },
    'no-store': { says: [...cc('max-age=60'), 'CDN-Cache-Control', 'no-store'], reused: false },
    'against no-store': { says: [...cc('no-store'), 'CDN-Cache-Control', 'max-age=60'], reused: true },
    'against Expires': { says: ['Expires', date(3600), 'CDN-Cache-Control', 'max-age=0'], reused: false },
    'unless it cannot be read': { says: [...cc('max-age=60'), 'CDN-Cache-Control', 'max-age="1"x'], afterMs: 30 * second, reused: true },
    'unless it is empty': { says: [...cc('max-age=60'), 'CDN-Cache-Control', ''], afterMs: 30 * second, reused: true },
  },
  'what the request wants (section 5.2.1)': {
    'max-age=0': { says: cc('max-age=60'), second: { headers: ['Cache-Control', 'max-age=0'] }, afterMs: second, reused: false },
    'max-age below the age': { says: cc('max-age=60'), second: { headers: ['Cache-Control', 'max-age=10'] }, afterMs: 11 * second, reused: false },
    'max-age above the age': { says: cc('max-age=60'), second: { headers: ['Cache-Control', 'max-age=10'] }, afterMs: 9 * second, reused: true },
    'max-age below an age that it came with': { says: [...cc('max-age=600'), 'Age', '100'], second: { headers: ['Cache-Control', 'max-age=60'] }, reused: false },
    'min-fresh that is not left': { says: cc('max-age=60'), second: { headers: ['Cache-Control', 'min-fresh=30'] }, afterMs: 31 * second, reused: false },
    'min-fresh that is left': { says: cc('max-age=60'), second: { headers: ['Cache-Control', 'min-fresh=30'] }, afterMs: 29 * second, reused: true },
    'max-stale': { says: [...cc('max-age=60'), ...validator], second: { headers: ['Cache-Control', 'max-stale=30'] }, afterMs: 80 * second, reused: true },
    'max-stale that is not enough': { says: [...cc('max-age=60'), ...validator], second: { headers: ['Cache-Control', 'max-stale=30'] }, afterMs: 100 * second, reused: false },
    'max-stale without an end': { says: [...cc('max-age=60'), ...validator], second: { headers: ['Cache-Control', 'max-stale'] }, afterMs: 1e6 * second, reused: true },
    'max-stale against must-revalidate': { says: [...cc('max-age=60, must-revalidate'), ...validator], second: { headers: ['Cache-Control', 'max-stale'] }, afterMs: 80 * second, reused: false },
    'max-stale against proxy-revalidate': { says: [...cc('max-age=60, proxy-revalidate'), ...validator], second: { headers: ['Cache-Control', 'max-stale'] }, afterMs: 80 * second, reused: false },
    'max-stale against s-maxage': { says: [...cc('s-maxage=60'), ...validator], second: { headers: ['Cache-Control', 'max-stale'] }, afterMs: 80 * second, reused: false },
    'no-cache': { says: cc('max-age=60'), second: { headers: ['Cache-Control', 'no-cache'] }, reused: false },
    'no-cache in the older form': { says: cc('max-age=60'), second: { headers: ['Pragma', 'no-cache'] }, reused: false },
    'the older form beside the newer': { says: cc('max-age=60'), second: { headers: ['Pragma', 'no-cache', 'Cache-Control', 'x'] }, reused: true },
    'Cache-Control of nothing known': { says: cc('max-age=60'), second: { headers: ['Cache-Control', 'nothing-to-see-here'] }, reused: true },
  },
}

for (const [name, rows] of Object.entries(groups)) {
  describe(name, () => {
    for (const [title, row] of Object.entries(rows)) {
      test(`${title}: ${row.reused ? 'given again' : 'asked for anew'}`, async (t) => {
        const route = cacheRoute(t, { defaultTtlMs: row.defaultTtlMs ?? 0 })
        route.origin = (): Origin => ({ status: row.status ?? 200, headers: row.says })
        await route.ask('/', row.first)
        route.advance(row.afterMs ?? 0)
        const { cache } = await route.ask('/', row.second)
        assert.equal(route.requests.length, row.reused ? 1 : 2, cache)
      })
    }
  })
}

test('only-if-cached is answered 504 where nothing is kept, and nobody is asked', async (t) => {
  const route = cacheRoute(t)
  await assert.rejects(route.ask('/', { headers: ['Cache-Control', 'only-if-cached'] }), { code: 'NOT_KEPT' })
  assert.equal(route.requests.length, 0)
  await route.ask('/')
  assert.equal(await route.text('/', { headers: ['Cache-Control', 'only-if-cached'] }), '1')
  route.advance(61 * second)
  await assert.rejects(route.ask('/', { headers: ['Cache-Control', 'only-if-cached'] }), { code: 'NOT_KEPT' })
})

test('Age counts from what the answer came with, and Date stays as it was', async (t) => {
  const route = cacheRoute(t)
  route.origin = () => ({ headers: ['Cache-Control', 'max-age=600', 'Age', '30', 'Date', date(0)] })
  assert.equal((await route.ask('/')).headers.get('age'), '30')
  route.advance(5 * second)
  const { headers } = await route.ask('/')
  assert.deepEqual([headers.getAll('age'), headers.get('date')], [['35'], date(0)])
})
