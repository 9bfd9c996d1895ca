import assert from 'node:assert/strict'
import type { Applications, Expectation, Feature } from '../expectation.ts'

export const applications: Applications = { 'users-1': 9101, 'users-2': 9102, orders: 9103, products: 9104, 'orders-next': 9105 }

export const expected: readonly Expectation[] = [
  { path: '/orders/7', status: 200, answerHeaders: { 'x-application': 'orders' } },
  { path: '/products', status: 200, answerHeaders: { 'x-application': 'products' } },
  { path: '/orders/7', headers: { 'x-preview': 'yes' }, status: 200, answerHeaders: { 'x-application': 'orders-next' } },
  { path: '/ordersome', status: 404 },
  { path: '/', status: 404 },
]

export const features: readonly Feature[] = [
  {
    promise: 'the users service is found by its path and by its host',
    async holds ({ get }) {
      const seen = new Set<string>()
      for (const answer of [await get('/users/1'), await get('/users/2'), await get('/', 'users.example.com'), await get('/any', 'users.example.com')]) {
        assert.equal(answer.status, 200)
        seen.add(String(answer.headers['x-application']))
      }
      assert.deepEqual([...seen].toSorted(), ['users-1', 'users-2'])
    },
  },
  {
    promise: 'one server of a service may die, and one whole service, and the rest goes on',
    async holds ({ get, kill, start }) {
      await kill('users-1')
      for (let i = 0; i < 10; i++) assert.deepEqual([(await get('/users')).status, (await get('/orders')).status], [200, 200])
      await kill('products')
      assert.ok([502, 503].includes((await get('/products')).status))
      assert.equal((await get('/orders')).status, 200)
      await start('products')
    },
  },
]
