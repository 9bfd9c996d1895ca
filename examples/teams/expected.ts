import assert from 'node:assert/strict'
import type { Applications, Expectation, Feature } from '../expectation.ts'

export const applications: Applications = { shop: 9201, payments: 9202, search: 9203, console: 9204 }

export const expected: readonly Expectation[] = [
  { path: '/cart', status: 200, answerHeaders: { 'x-application': 'shop' } },
  { path: '/cart', body: 'x'.repeat(2000), status: 200 },
  { path: '/pay', body: 'x'.repeat(1000), status: 200, answerHeaders: { 'x-application': 'payments' } },
  { path: '/pay', body: 'x'.repeat(2000), status: 413 },
  { path: '/search?q=a', status: 200, answerHeaders: { 'x-application': 'search' } },
  { path: '/console', status: 404 },
  { path: '/', status: 404 },
]

export const features: readonly Feature[] = [
  {
    promise: 'what is the platform\'s own has no way in from outside, whatever a client calls itself',
    async holds ({ get }) {
      for (const path of ['/', '/console', '/platform:console', '/cart/../console']) {
        for (const host of ['localhost', 'console', 'platform:console', 'inside:8081']) assert.notEqual((await get(path, host)).headers['x-application'], 'console')
      }
    },
  },
]
