import type { Expectation } from '../expectation.ts'

export const expected: readonly Expectation[] = [
  { path: '/', status: 200, sentHeaders: { 'x-forwarded-proto': 'http' } },
]
