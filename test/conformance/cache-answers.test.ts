// RFC 9111 section 3.1, 4.1, 4.3, 4.4 and RFC 9110 section 13 and 14: what is given out of what is kept. The same in memory, on disk, and in both.
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { backends, cacheRoute, second, storeFor, type CacheRoute } from '../support/cache-route.ts'
import type { RouteCacheSettings } from '../../proxy/cache/index.ts'
import { Fault } from '../../proxy/pipeline/faults.ts'

const fresh = ['Cache-Control', 'max-age=60']

for (const backend of backends) {
  const start = (t: TestContext, rules: Partial<RouteCacheSettings> = {}): CacheRoute => cacheRoute(t, rules, storeFor(t, backend))

  describe(`Vary (section 4.1), ${backend}`, () => {
    const varying = (t: TestContext, vary: readonly string[]): CacheRoute => {
      const route = start(t)
      route.origin = () => ({ headers: [...fresh, ...vary.flatMap((value) => ['Vary', value])] })
      return route
    }

    test('an answer is for requests that say the same in the fields that it names, whatever the letters of their names', async (t) => {
      const route = varying(t, ['Foo'])
      assert.equal(await route.text('/', { headers: ['Foo', '1'] }), '1')
      assert.equal(await route.text('/', { headers: ['foo', '1', 'Other', '2'] }), '1')
      assert.equal(await route.text('/', { headers: ['Foo', '2'] }), '2')
      assert.equal(await route.text('/'), '3')
      assert.deepEqual([await route.text('/', { headers: ['Foo', '1'] }), await route.text('/', { headers: ['Foo', '2'] }), await route.text('/')], ['1', '2', '3'])
    })

    test('an empty field is not a missing one', async (t) => {
      const route = varying(t, ['Foo'])
      assert.deepEqual([await route.text('/', { headers: ['Foo', ''] }), await route.text('/')], ['1', '2'])
    })

    test('several fields, on one line or several, all count', async (t) => {
      const route = varying(t, ['Foo, Bar', 'baz'])
      const ask = (foo: string, bar: string, baz: string): Promise<string> => route.text('/', { headers: ['Baz', baz, 'Foo', foo, 'Bar', bar] })
      assert.deepEqual([await ask('1', '2', '3'), await ask('1', '2', '3'), await ask('1', '2', '4'), await ask('2', '1', '3'), await ask('1', '2', '3')], ['1', '1', '2', '3', '1'])
    })

    test('lines of one field are one list', async (t) => {
      const route = varying(t, ['Foo'])
      assert.deepEqual([await route.text('/', { headers: ['Foo', '1', 'Foo', '2'] }), await route.text('/', { headers: ['Foo', '1, 2'] })], ['1', '1'])
    })

    test('an answer that is packed is for those who said how they unpack, though it does not say so', async (t) => {
      const route = start(t)
      route.origin = ({ request }) => ({ headers: [...fresh, ...request.headers.has('accept-encoding') ? ['Content-Encoding', 'gzip'] : []] })
      assert.deepEqual([await route.text('/', { headers: ['Accept-Encoding', 'gzip'] }), await route.text('/', { headers: ['Accept-Encoding', 'gzip'] }), await route.text('/')], ['1', '1', '2'])
    })
  })

  describe(`conditional requests of clients (RFC 9110 section 13), ${backend}`, () => {
    const known = (t: TestContext): CacheRoute => {
      const route = start(t)
      route.origin = () => ({ headers: [...fresh, 'ETag', '"v1"', 'Last-Modified', 'Wed, 02 Jan 2030 02:00:00 GMT', 'Content-Type', 'text/plain', 'X-Other', 'a'], body: 'text' })
      return route
    }

    for (const [field, value, status] of [
      ['If-None-Match', '"v1"', 304], ['If-None-Match', 'W/"v1"', 304], ['If-None-Match', '"a", "v1"', 304], ['If-None-Match', '*', 304], ['If-None-Match', '"v2"', 200],
      ['If-None-Match', 'v1', 200], ['If-None-Match', '"a,\\"v1"', 200],
      ['If-Modified-Since', 'Wed, 02 Jan 2030 02:00:00 GMT', 304], ['If-Modified-Since', 'Wed, 02 Jan 2030 02:00:01 GMT', 304],
      ['If-Modified-Since', 'Wed, 02 Jan 2030 01:59:59 GMT', 200], ['If-Modified-Since', 'yesterday', 200],
    ] as const) {
      test(`${field}: ${value} gives ${status}, from what is kept and on the way there`, async (t) => {
        const route = known(t)
        for (const cache of ['miss', 'hit']) {
          const answer = await route.ask('/', { headers: [field, value] })
          assert.deepEqual([answer.status, answer.text, answer.cache], [status, status === 304 ? '' : 'text', cache])
          assert.equal(answer.headers.get('etag'), '"v1"')
        }
        assert.equal(route.requests[0]!.request.headers.has(field.toLowerCase()), false, 'the whole answer was asked for')
      })
    }

    test('If-None-Match goes before If-Modified-Since', async (t) => {
      const route = known(t)
      await route.ask('/')
      assert.equal((await route.ask('/', { headers: ['If-None-Match', '"v2"', 'If-Modified-Since', 'Wed, 02 Jan 2030 02:00:00 GMT'] })).status, 200)
    })

    test('a weak validator is known by its name', async (t) => {
      const route = start(t)
      route.origin = () => ({ headers: [...fresh, 'ETag', 'W/"v1"'] })
      await route.ask('/')
      assert.equal((await route.ask('/', { headers: ['If-None-Match', '"v1"'] })).status, 304)
    })

    test('a 304 says what a cache needs, and nothing about a body that does not come', async (t) => {
      const { headers } = await (async (route) => { await route.ask('/'); return route.ask('/', { headers: ['If-None-Match', '"v1"'] }) })(known(t))
      assert.deepEqual(['cache-control', 'date', 'etag', 'last-modified', 'age', 'content-type'].map((name) => headers.has(name)), [true, true, true, true, true, false])
    })

    test('conditions that only the upstream can judge go there', async (t) => {
      const route = known(t)
      await route.ask('/')
      assert.equal((await route.ask('/', { headers: ['If-Match', '"v1"'] })).cache, 'bypass')
      assert.equal((await route.ask('/', { headers: ['If-Unmodified-Since', 'Wed, 02 Jan 2030 02:00:00 GMT'] })).cache, 'bypass')
      assert.equal(route.requests[1]!.request.headers.get('if-match'), '"v1"')
    })
  })

  describe(`asking the upstream whether an answer is right still (section 4.3), ${backend}`, () => {
    test('it is asked with what the answer was marked with, and a 304 makes the answer fresh and changes its fields, not its body', async (t) => {
      const route = start(t)
      route.origin = ({ request: { headers } }) => headers.get('if-none-match') === '"v1"'
        ? { status: 304, headers: [...fresh, 'ETag', '"v1"', 'X-New', 'b', 'X-Both', 'new', 'Content-Type', 'text/css', 'Content-Length', '9', 'Content-Encoding', 'br', 'Content-MD5', 'y', 'Content-Range', 'z', 'Connection', 'X-Hop', 'X-Hop', '1'] }
        : { headers: [...fresh, 'ETag', '"v1"', 'Last-Modified', 'Wed, 02 Jan 2030 02:00:00 GMT', 'X-Old', 'a', 'X-Both', 'old', 'Content-MD5', 'x'], body: 'text' }
      await route.ask('/')
      route.advance(61 * second)
      for (const cache of ['revalidated', 'hit']) {
        const { status, text, headers, cache: told } = await route.ask('/')
        assert.deepEqual([status, text, told], [200, 'text', cache])
        assert.deepEqual(['x-old', 'x-new', 'x-both', 'content-type', 'content-md5', 'content-encoding', 'content-range', 'x-hop', 'age'].map((name) => headers.getAll(name).join('|')),
          ['a', 'b', 'new', 'text/css', 'x', '', '', '', '0'])
      }
      assert.equal(route.requests[1]!.request.headers.get('if-modified-since'), 'Wed, 02 Jan 2030 02:00:00 GMT')
      assert.equal(route.requests.length, 2)
    })

    test('another answer takes its place', async (t) => {
      const route = start(t)
      route.origin = () => ({ headers: [...fresh, 'ETag', '"v"'] })
      await route.ask('/')
      route.advance(61 * second)
      assert.deepEqual([await route.text('/'), await route.text('/')], ['2', '2'])
    })

    test('a 304 about another answer does not change this one', async (t) => {
      const route = start(t)
      route.origin = (_, count) => count === 1 ? { headers: [...fresh, 'ETag', '"v1"', 'X-A', '1'] } : { status: 304, headers: [...fresh, 'ETag', '"v2"', 'X-A', '2'] }
      await route.ask('/')
      route.advance(61 * second)
      const { headers, text } = await route.ask('/')
      assert.deepEqual([text, headers.get('x-a'), headers.get('etag')], ['1', '1', '"v1"'])
    })

    test('no-cache: asked each time, and kept all the same', async (t) => {
      const route = start(t)
      route.origin = ({ request: { headers } }) => headers.has('if-none-match') ? { status: 304, headers: ['ETag', '"v"', 'Cache-Control', 'no-cache'] } : { headers: ['Cache-Control', 'no-cache', 'ETag', '"v"'] }
      assert.deepEqual([await route.text('/'), await route.text('/'), await route.text('/')], ['1', '1', '1'])
      assert.equal(route.requests.length, 3)
    })

    test('a 304 that says no-store ends the keeping', async (t) => {
      const route = start(t)
      route.origin = ({ request: { headers } }) => headers.has('if-none-match') ? { status: 304, headers: ['ETag', '"v"', 'Cache-Control', 'no-store'] } : { headers: [...fresh, 'ETag', '"v"'] }
      await route.ask('/')
      route.advance(61 * second)
      await route.ask('/')
      await route.ask('/')
      assert.equal(route.requests[2]!.request.headers.has('if-none-match'), false)
    })
  })

  describe(`parts (RFC 9110 section 14), ${backend}`, () => {
    const whole = async (t: TestContext, body = '0123456789', more: readonly string[] = ['ETag', '"v"']): Promise<CacheRoute> => {
      const route = start(t)
      route.origin = () => ({ headers: [...fresh, ...more], body })
      await route.ask('/')
      return route
    }

    for (const [range, status, text, told] of [
      ['bytes=0-3', 206, '0123', 'bytes 0-3/10'], ['bytes=5-', 206, '56789', 'bytes 5-9/10'], ['bytes=-3', 206, '789', 'bytes 7-9/10'], ['bytes=8-99', 206, '89', 'bytes 8-9/10'],
      ['bytes=-99', 206, '0123456789', 'bytes 0-9/10'], ['bytes=10-', 416, '', 'bytes */10'], ['bytes=-0', 416, '', 'bytes */10'], ['bytes=3-2', 200, '0123456789', undefined],
      ['bytes=0-1,4-5', 200, '0123456789', undefined], ['lines=0-1', 200, '0123456789', undefined], ['bytes=a-b', 200, '0123456789', undefined],
    ] as const) {
      test(`${range} of a kept answer gives ${status}`, async (t) => {
        const route = await whole(t)
        const answer = await route.ask('/', { headers: ['Range', range] })
        assert.deepEqual([answer.status, answer.text, answer.headers.get('content-range')], [status, text, told])
        assert.equal(route.requests.length, 1)
      })
    }

    for (const [condition, status] of [['"v"', 206], ['W/"v"', 200], ['"w"', 200], ['Wed, 02 Jan 2030 02:00:00 GMT', 206], ['Wed, 02 Jan 2030 02:00:01 GMT', 200]] as const) {
      test(`If-Range: ${condition} gives ${status}`, async (t) => {
        const route = await whole(t, '0123456789', ['ETag', '"v"', 'Last-Modified', 'Wed, 02 Jan 2030 02:00:00 GMT'])
        assert.equal((await route.ask('/', { headers: ['Range', 'bytes=0-3', 'If-Range', condition] })).status, status)
      })
    }

    test('a part of what is not kept is the upstream\'s to give, and is not kept', async (t) => {
      const route = start(t)
      route.origin = ({ request: { headers } }) => headers.has('range') ? { status: 206, headers: [...fresh, 'Content-Range', 'bytes 0-1/4'], body: 'ab' } : { headers: fresh, body: 'abcd' }
      assert.deepEqual([await route.text('/', { headers: ['Range', 'bytes=0-1'] }), await route.text('/'), await route.text('/', { headers: ['Range', 'bytes=2-'] })], ['ab', 'abcd', 'cd'])
      assert.equal(route.requests.length, 2)
    })

    test('a large answer is given whole and in parts', async (t) => {
      const body = Array.from({ length: 40_000 }, (_, i) => `line ${i}\n`).join('')
      const route = await whole(t, body)
      assert.equal(await route.text('/'), body)
      assert.equal(await route.text('/', { headers: ['Range', 'bytes=300000-300099'] }), body.slice(300_000, 300_100))
    })
  })

  describe(`what is changed is not what is kept (section 4.4), ${backend}`, () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'M-SEARCH', 'WHATEVER']) {
      test(`${method} puts out its address, and those that Location and Content-Location name on the same host`, async (t) => {
        const route = start(t)
        const change = (headers: readonly string[], status = 200): void => {
          route.origin = ({ request }) => request.method === 'GET' ? { headers: fresh } : { status, headers }
        }
        change(['Location', '/b', 'Content-Location', 'http://example.test/c?x'])
        for (const path of ['/a', '/b', '/c', '/d']) await route.ask(path)
        await route.ask('/d', { authority: 'other.test' })
        await route.ask('/a', { method })
        const asked = route.requests.length
        for (const path of ['/a', '/b', '/c']) assert.equal((await route.ask(path)).cache, 'miss', path)
        assert.equal((await route.ask('/d')).cache, 'hit')
        assert.equal(route.requests.length, asked + 3)
        change(['Location', 'http://other.test/d'])
        await route.ask('/a', { method })
        assert.equal((await route.ask('/d', { authority: 'other.test' })).cache, 'hit', 'of another host')
      })
    }

    test('one that failed changed nothing, and a safe one never does', async (t) => {
      const route = start(t)
      route.origin = ({ request }) => request.method === 'POST' ? { status: 500 } : { headers: fresh }
      await route.ask('/')
      await route.ask('/', { method: 'POST' })
      await route.ask('/', { method: 'OPTIONS' })
      assert.equal((await route.ask('/')).cache, 'hit')
    })

    test('an answer that was on its way when its address was changed is not kept', async (t) => {
      const route = start(t)
      let arrive = (): void => {}
      const late = new Promise<void>((resolve) => { arrive = resolve })
      route.origin = async ({ request }, count) => {
        if (request.method === 'GET' && count === 1) await late
        return { headers: fresh }
      }
      const first = route.reply('/')
      await route.reply('/', { method: 'POST' })
      arrive()
      await (await first).body?.read()
      assert.equal((await route.ask('/')).cache, 'miss')
    })
  })

  describe(`fields and methods, ${backend}`, () => {
    test('fields of one connection, and those that Connection names, are not kept; all others are, in their order', async (t) => {
      const route = start(t)
      const kept = ['Cache-Control', 'max-age=60', 'X-A', '1', 'Content-Type', 'text/plain', 'X-A', '2', 'Content-Location', '/x', 'Content-MD5', 'm', 'Public-Key-Pins', 'p', 'X-Frame-Options', 'DENY']
      route.origin = () => ({ headers: [...kept, 'Connection', 'X-Hop, close', 'X-Hop', '1', 'Keep-Alive', 'timeout=5', 'Proxy-Authenticate', 'Basic', 'Proxy-Authentication-Info', 'a', 'Proxy-Connection', 'a', 'TE', 'a', 'Upgrade', 'h2c', 'Date', 'Wed, 02 Jan 2030 03:04:05 GMT'] })
      await route.ask('/')
      const { headers } = await route.ask('/')
      assert.deepEqual(headers.raw(), [...kept, 'Date', 'Wed, 02 Jan 2030 03:04:05 GMT', 'Age', '0', 'Cache-Status', 'sentinel; hit; ttl=59'])
    })

    test('HEAD is answered out of what GET got, and leaves nothing itself', async (t) => {
      const route = start(t)
      assert.equal((await route.ask('/', { method: 'HEAD' })).cache, 'miss')
      assert.equal((await route.ask('/')).cache, 'miss')
      const reply = await route.reply('/', { method: 'HEAD' })
      assert.deepEqual([reply.status, reply.body?.length, await reply.body?.read()], [200, 1, undefined])
    })

    test('answers without a body, and with an empty one', async (t) => {
      const route = start(t, { statuses: new Set([200, 204]) })
      route.origin = ({ request }) => request.path === '/204' ? { status: 204, headers: fresh } : { headers: fresh, body: '' }
      for (const path of ['/204', '/empty']) {
        await route.ask(path)
        const { cache, text } = await route.ask(path)
        assert.deepEqual([cache, text], ['hit', ''], path)
      }
    })

    test('stale-while-revalidate: the old one at once, and a new one for the next', async (t) => {
      const route = start(t)
      route.origin = () => ({ headers: ['Cache-Control', 'max-age=60, stale-while-revalidate=30'] })
      await route.ask('/')
      route.advance(70 * second)
      const stale = await route.ask('/')
      assert.deepEqual([stale.text, stale.cache], ['1', 'stale'])
      assert.deepEqual([await route.text('/'), route.requests.length], ['2', 2])
      route.advance(91 * second)
      assert.equal(await route.text('/'), '3', 'over')
    })

    test('stale-if-error: the old one when no new one can be had, within its time', async (t) => {
      for (const failing of [{ status: 503 }, undefined]) {
        const route = start(t)
        route.origin = (_, count) => {
          if (count === 1) return { headers: ['Cache-Control', 'max-age=60, stale-if-error=30'] }
          if (failing === undefined) throw new Fault('UPSTREAM_CONNECT')
          return failing
        }
        await route.ask('/')
        route.advance(70 * second)
        const { text, cache } = await route.ask('/')
        assert.deepEqual([text, cache], ['1', 'stale'])
        route.advance(30 * second)
        if (failing === undefined) await assert.rejects(route.ask('/'), { code: 'UPSTREAM_CONNECT' })
        else assert.equal((await route.ask('/')).status, 503)
        t.mock.timers.reset()
      }
    })

    for (const directive of ['must-revalidate', 'proxy-revalidate', 'no-cache', 's-maxage=60']) {
      test(`nothing stale is given against ${directive}, whatever the route allows`, async (t) => {
        const route = start(t, { staleWhileRevalidateMs: 1e9, staleIfErrorMs: 1e9 })
        route.origin = (_, count) => count === 1 ? { headers: ['Cache-Control', `max-age=60, ${directive}`, 'ETag', '"v"'] } : { status: 503 }
        await route.ask('/')
        route.advance(70 * second)
        assert.equal((await route.ask('/')).status, 503)
      })
    }
  })
}

