import type { Expectation } from '../expectation.ts'

export const expected: readonly Expectation[] = [
  { path: '/hello', status: 200, sentHeaders: { 'x-forwarded-proto': 'http' } },
  { path: '/?q=1%27+OR+%271%27=%271', status: 403, answerHeaders: { 'x-waf-blocked': 'true' } },
  { path: '/', headers: { 'user-agent': 'BadBot' }, status: 403 },
  { path: '/.git/config', status: 403 },
  { path: '/.env', status: 403 },
  { path: '/post', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: 'comment=<script>alert(1)</script>', status: 403 },
  { path: '/post', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: "name=O'Brien", status: 200 },
]
