import assert from 'node:assert/strict'
import type { Applications, Expectation, Feature } from '../expectation.ts'

export const applications: Applications = { api: 3000 }

export const expected: readonly Expectation[] = [
  { path: '/style.css', status: 200, answerHeaders: { 'cache-control': 'public, max-age=86400', 'content-type': 'text/css; charset=utf-8' } },
  { path: '/style.css', headers: { 'accept-encoding': 'br' }, status: 200, answerHeaders: { 'content-encoding': 'br' } },
  { path: '/api/orders', status: 200, answerHeaders: { 'x-application': 'api' } },
  { path: '/orders/7', status: 200, answerHeaders: { 'cache-control': 'no-cache', 'content-type': 'text/html; charset=utf-8' } },
  { path: '/missing.js', status: 404 },
  { path: '/..%2fsentinel.kdl', status: 200, answerHeaders: { 'content-type': 'text/html; charset=utf-8' } },
  { path: '/api/orders', method: 'POST', body: '{}', status: 200 },
  { path: '/style.css', method: 'POST', body: 'x', status: 405 },
]

export const features: readonly Feature[] = [
  {
    promise: 'every path that is no file and not the API is a page of the application, even when the API is down',
    async holds ({ get, kill }) {
      const page = (await get('/')).text
      assert.match(page, /A site and its API/)
      await kill('api')
      for (const path of ['/about', '/orders/7', '/deep/er/still']) assert.equal((await get(path)).text, page)
      assert.equal((await get('/api/orders')).status, 502)
    },
  },
]
