import { readBytes, type Asker } from './question.ts'
import type { CheckResult, HttpCheck } from './settings.ts'

export async function checkHttp (target: Asker, check: HttpCheck): Promise<CheckResult> {
  const { method, path, host, timeoutMs, expectedStatus, expectedBody } = check
  const { status, body, ms } = await target.ask({ method, path, host, timeoutMs })
  const isExpected = expectedStatus.some(({ from, to }) => status >= from && status <= to)
  if (!isExpected) return { healthy: false, degraded: false, why: `status ${status}`, ms }
  if (expectedBody === undefined || expectedBody.test(body.toString('utf8'))) return { healthy: true, degraded: false, why: `status ${status}`, ms }
  const beginning = body.length >= readBytes ? `the first ${readBytes / 1024} KiB of the answer` : 'the answer'
  return { healthy: false, degraded: false, why: `status ${status}, but ${beginning} does not match expected-body`, ms }
}
