import { request } from 'node:http'
import { codeOf, ControlError } from './client.ts'

export interface Followed {
  readonly path: string
  readonly body: object
  readonly onLine: (line: string) => void
  /** Somebody has seen enough: it resolves as at the end. */
  readonly signal?: AbortSignal
}

/** Longest line taken. */
const maxLineBytes = 1024 * 1024

/**
 * Asks the first who answers for lines without end, and resolves when they have ended: with 200 when they had begun, else with the status and the sentence of
 * who refuses. Rejects with a `ControlError`.
 */
export async function follow (sockets: readonly string[], asked: Followed): Promise<{ readonly status: number, readonly text: string }> {
  for (const path of sockets) {
    try {
      return await followOne(path, asked)
    } catch (error) {
      const code = codeOf(error)
      if (code === 'EACCES' || code === 'EPERM') throw new ControlError('NOT_ALLOWED', `${path} is another user's: ask as that user, or as root`)
      if (code !== 'ECONNREFUSED' && code !== 'ENOENT') throw new ControlError('BROKEN', `the running Sentinel broke off: ${String(error)}`)
    }
  }
  throw new ControlError('NOT_RUNNING', 'no Sentinel runs on this configuration, or none of this user')
}

function followOne (socketPath: string, { path, body, onLine, signal }: Followed): Promise<{ readonly status: number, readonly text: string }> {
  return new Promise((resolve, reject) => {
    const text = JSON.stringify(body)
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }
    const sent = request({ socketPath, method: 'POST', path, headers, agent: false }, (response) => {
      let rest = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        const lines = (rest + chunk).split('\n')
        rest = lines.pop() ?? ''
        if (rest.length > maxLineBytes) sent.destroy(new Error('a line without end'))
        if (response.statusCode === 200) for (const line of lines) onLine(line)
        else rest = lines.join('\n') + rest
      })
      response.on('error', (error) => response.statusCode === 200 ? resolve({ status: 200, text: '' }) : reject(error))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text: rest }))
    })
    const enough = (): void => {
      resolve({ status: 200, text: '' })
      sent.destroy()
    }
    if (signal?.aborted === true) return enough()
    signal?.addEventListener('abort', enough, { once: true })
    sent.on('close', () => signal?.removeEventListener('abort', enough))
    sent.on('error', reject)
    sent.end(text)
  })
}
