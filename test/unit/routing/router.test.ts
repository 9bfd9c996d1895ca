import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compile } from '../../../config/schema/index.ts'
import { hostName, type Matches } from '../../../proxy/routing/match.ts'
import { compileRouter } from '../../../proxy/routing/router.ts'
import { headOf } from '../../support/exchange.ts'

const nothing: Matches = { path: [], pathPrefix: [], pathRegex: [], host: [], hostRegex: [], method: [], header: [], queryParam: [] }
const route = (value: string, matches: Partial<Matches>, priority = 50) => ({ value, priority, matches: { ...nothing, ...matches } })
const matched = (routes: Parameters<typeof compileRouter<string>>[0], given: Parameters<typeof headOf>[0]) => compileRouter(routes).match(headOf(given))

test('a prefix ends on a segment border', () => {
  const routes = [route('api', { pathPrefix: ['/api'] })]
  assert.equal(matched(routes, { target: '/api' }), 'api')
  assert.equal(matched(routes, { target: '/api/x?q=1' }), 'api')
  assert.equal(matched(routes, { target: '/apix' }), undefined)
})

test('a prefix with a trailing slash means the same', () => {
  assert.equal(matched([route('api', { pathPrefix: ['/api/'] })], { target: '/api' }), 'api')
  assert.equal(matched([route('all', { pathPrefix: ['/'] })], { target: '/x' }), 'all')
})

test('higher priority wins, then the narrower route, then file order', () => {
  const routes = [
    route('all', { pathPrefix: ['/'] }), route('also all', { pathPrefix: ['/'] }), route('api', { pathPrefix: ['/api'] }),
    route('exact', { path: ['/api/x'] }), route('urgent', { pathPrefix: ['/api/y'] }, 100), route('late', { path: ['/api/x'] }, 10),
  ]
  assert.equal(matched(routes, { target: '/z' }), 'all')
  assert.equal(matched(routes, { target: '/api/z' }), 'api')
  assert.equal(matched(routes, { target: '/api/x' }), 'exact')
  assert.equal(matched(routes, { target: '/api/y' }), 'urgent')
})

test('hosts are compared without case, port and trailing dot', () => {
  const routes = [route('cloud', { host: ['Cloud.Home.Lan'] })]
  assert.equal(matched(routes, { authority: 'cloud.home.lan:8443' }), 'cloud')
  assert.equal(matched(routes, { authority: 'cloud.home.lan.' }), 'cloud')
  assert.equal(matched(routes, { authority: 'xcloud.home.lan' }), undefined)
})

test('a wildcard host holds at any depth below, not for the name itself', () => {
  const routes = [route('any', { host: ['*.home.lan'] })]
  assert.equal(matched(routes, { authority: 'a.b.home.lan' }), 'any')
  assert.equal(matched(routes, { authority: 'home.lan' }), undefined)
  assert.equal(matched(routes, { authority: 'evilhome.lan' }), undefined)
})

test('a regular expression searches the host, beside other hosts that must hold too', () => {
  const routes = [route('shop', { hostRegex: [compile('^shop-\\d+\\.')] })]
  assert.equal(matched(routes, { authority: 'shop-12.example.test:8080' }), 'shop')
  assert.equal(matched(routes, { authority: 'myshop-12.example.test' }), undefined)
})

test('several lines of one matcher are alternatives, different matchers must all hold', () => {
  const routes = [route('r', { pathPrefix: ['/a', '/b'], method: ['GET', 'post'], host: ['x.test', 'y.test'] })]
  assert.equal(matched(routes, { target: '/b', method: 'POST', authority: 'y.test' }), 'r')
  assert.equal(matched(routes, { target: '/c', method: 'POST', authority: 'y.test' }), undefined)
  assert.equal(matched(routes, { target: '/a', method: 'PUT', authority: 'x.test' }), undefined)
  assert.equal(matched(routes, { target: '/a', authority: 'z.test' }), undefined)
})

test('headers match by presence or value, whatever the case of their name', () => {
  const routes = [route('beta', { header: [{ name: 'X-Beta' }, { name: 'X-Plan', value: 'gold' }, { name: 'x-plan', value: 'silver' }] })]
  assert.equal(matched(routes, { headers: ['x-beta', '', 'X-PLAN', 'silver'] }), 'beta')
  assert.equal(matched(routes, { headers: ['x-beta', ''] }), undefined)
  assert.equal(matched(routes, { headers: ['x-beta', '', 'X-Plan', 'Gold'] }), undefined)
})

test('query parameters match decoded', () => {
  const routes = [route('v2', { queryParam: [{ name: 'version', value: '2 b' }] })]
  assert.equal(matched(routes, { target: '/?a=1&version=2%20b' }), 'v2')
  assert.equal(matched(routes, { target: '/?version=3' }), undefined)
})

test('a regular expression searches the path', () => {
  const routes = [route('asset', { pathRegex: [compile('\\.(css|js)$')] })]
  assert.equal(matched(routes, { target: '/x/y.css?v=1' }), 'asset')
  assert.equal(matched(routes, { target: '/y.css/z' }), undefined)
})

test('explain tells of every route tried, which matcher said no, what it wanted and what was there', () => {
  const routes = [
    route('post', { pathPrefix: ['/long/way'], method: ['POST'] }), route('host', { path: ['/long/way/x'], host: ['a.test', '*.b.test'] }),
    route('keyed', { pathPrefix: ['/long/way'], header: [{ name: 'X-Key' }] }), route('all', { pathPrefix: ['/'] }),
  ]
  assert.deepEqual(compileRouter(routes).explain(headOf({ target: '/long/way/x' })), [
    { value: 'host', failed: { matcher: 'host', wanted: '"a.test" or "*.b.test"', found: 'the host is "example.test"' } },
    { value: 'keyed', failed: { matcher: 'header x-key', wanted: 'to be there', found: 'it is not there' } },
    { value: 'post', failed: { matcher: 'method', wanted: 'POST', found: 'the method is GET' } },
    { value: 'all', failed: undefined },
  ])
})

test('an inverted condition holds when the plain one does not; of several of one name none may hold', () => {
  const routes = [
    route('old', { header: [{ name: 'X-Version', value: '1', invert: true }, { name: 'x-version', value: '2', invert: true }] }),
    route('plain', { queryParam: [{ name: 'debug', invert: true }] }),
  ]
  assert.equal(matched(routes, { headers: ['X-Version', '3'] }), 'old')
  assert.equal(matched(routes, {}), 'old')
  assert.equal(matched(routes, { headers: ['X-Version', '2'] }), 'plain')
  assert.equal(matched(routes, { headers: ['X-Version', '1'], target: '/?debug' }), undefined)
})

test('an IPv6 authority keeps its brackets', () => {
  assert.equal(hostName('[::1]:8080'), '[::1]')
  assert.equal(hostName('a.test'), 'a.test')
})
