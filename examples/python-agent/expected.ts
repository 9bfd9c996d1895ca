import type { Expectation } from '../expectation.ts'

export const expected: readonly Expectation[] = [
  { path: '/', status: 200, sentHeaders: { 'x-python': 'yes' } },
  { path: '/', headers: { 'X-Python': 'no', x_python: 'no' }, status: 200, sentHeaders: { 'x-python': 'yes' } },
  { path: '/forbidden', status: 403 },
  { path: '/a/../%66orbidden/deeper', status: 403 },
  { path: '/private/', status: 403 },
  { path: '/forbidden-not', status: 200 },
]
