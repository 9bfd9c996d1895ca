import type { Body } from '../../pipeline/body.ts'

/** An answer that nobody wants is read to its end when it is no longer than this, and comes in this time: its connection can then be used again. */
const mostBytes = 64 * 1024
const mostMs = 1_000

/** Gets rid of the body of an answer. Never rejects, and need not be waited for. */
export async function discard (body: Body | undefined): Promise<void> {
  if (body === undefined) return
  if (body.length !== undefined && body.length > mostBytes) return body.cancel()
  const timer = setTimeout(() => body.cancel(), mostMs)
  try {
    let bytes = 0
    for (let chunk = await body.read(); chunk !== undefined; chunk = await body.read()) {
      bytes += chunk.length
      body.recycle?.(chunk)
      if (bytes > mostBytes) return body.cancel()
    }
  } catch {
    // It broke off. Nobody wanted it.
  } finally {
    clearTimeout(timer)
  }
}
