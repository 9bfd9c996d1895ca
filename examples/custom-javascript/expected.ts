import type { Expectation } from '../expectation.ts'

const json = { 'content-type': 'application/json' }

export const expected: readonly Expectation[] = [
  { path: '/', status: 200, sentHeaders: { 'x-checked-by': 'custom.mjs' }, answerHeaders: { 'x-frame-options': 'DENY' } },
  { path: '/old', status: 301, answerHeaders: { location: '/new' } },
  { path: '/admin/users', status: 403 },
  { path: '/admin/users', headers: { 'x-team': 'operations' }, status: 200 },
  { path: '/', method: 'POST', headers: json, body: '{"debug":true}', status: 422, answerHeaders: json },
  { path: '/', method: 'POST', headers: json, body: '{"debug":false}', status: 200 },
]
