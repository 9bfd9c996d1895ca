import type { Expectation } from '../expectation.ts'

const trace = '4bf92f3577b34da6a3ce929d0e0e4736'

export const expected: readonly Expectation[] = [
  { path: '/', status: 200, answerHeaders: { 'x-served-by': 'sentinel' } },
  // Whoever calls is in a trace that others do not collect: the application is told the same.
  { path: '/cart', headers: { traceparent: `00-${trace}-00f067aa0ba902b7-00`, tracestate: 'shop=1' }, status: 200, sentHeaders: { tracestate: 'shop=1' } },
]
