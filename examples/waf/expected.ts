import type { Expectation } from '../expectation.ts'

export const expected: readonly Expectation[] = [
  { path: "/search?q=O'Brien", status: 200 },
  { path: '/search?q=1%27%20UNION%20SELECT%20password%20FROM%20users--', status: 403, answerHeaders: { 'x-waf-blocked': 'true' } },
  { path: '/%2e%2e/%2e%2e/etc/passwd', status: 403 },
  { path: '/run', headers: { 'content-type': 'application/json' }, body: '{"cmd":"; cat /etc/passwd"}', status: 403 },
  { path: '/notes', headers: { 'content-type': 'application/json' }, body: '{"note":"please select one from the menu"}', status: 200 },
]
