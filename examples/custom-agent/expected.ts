import type { Expectation } from '../expectation.ts'

export const expected: readonly Expectation[] = [
  { path: '/', status: 401, answerHeaders: { 'content-type': 'application/json' } },
  { path: '/', headers: { 'x-api-key': 'guessed' }, status: 401 },
  { path: '/', headers: { 'x-api-key': 'secret-of-alice', 'X-Client': 'root', x_client: 'root' }, status: 200, sentHeaders: { 'x-client': 'alice' } },
]
