import { request } from 'node:http'

/** Nobody answers, or not in a way that can be understood; the message is for the operator. */
export class ControlError extends Error {
  readonly code: 'NOT_RUNNING' | 'NOT_ALLOWED' | 'BROKEN'

  constructor (code: ControlError['code'], message: string) {
    super(message)
    this.name = 'ControlError'
    this.code = code
  }
}

export interface Asked {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly body?: object
  /** How long the answer may take; for as long as it takes when absent, as a reload does: then it is asked first whether anybody is there who could. */
  readonly patienceMs?: number
}

export interface Answered {
  readonly status: number
  readonly body: unknown
}

/** Nothing has to be done for the answer: whoever is silent for so long is stopped, or hangs. */
const aliveMs = 10_000

/** Asks the first who answers. Rejects with a `ControlError`. */
export async function ask (sockets: readonly string[], asked: Asked): Promise<Answered> {
  let last: Error | undefined
  for (const path of sockets) {
    try {
      if (asked.patienceMs === undefined) await askOne(path, { method: 'GET', path: '/', patienceMs: aliveMs })
      return await askOne(path, asked)
    } catch (error) {
      last = error instanceof Error ? error : new Error(String(error))
      if (codeOf(error) === 'EACCES' || codeOf(error) === 'EPERM') throw new ControlError('NOT_ALLOWED', `${path} is another user's: ask as that user, or as root`)
      if (codeOf(error) !== 'ECONNREFUSED' && codeOf(error) !== 'ENOENT') break
    }
  }
  if (last === undefined || codeOf(last) === 'ECONNREFUSED' || codeOf(last) === 'ENOENT') throw new ControlError('NOT_RUNNING', 'no Sentinel runs on this configuration, or none of this user')
  throw new ControlError('BROKEN', `the running Sentinel did not answer to the end: ${last.message}`)
}

function askOne (socketPath: string, { method, path, body, patienceMs }: Asked): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? '' : JSON.stringify(body)
    const headers = text === '' ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }
    const sent = request({ socketPath, method, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const body = read(Buffer.concat(chunks).toString())
        if (body === undefined) reject(new Error('its answer is not JSON'))
        else resolve({ status: response.statusCode ?? 0, body })
      })
    })
    sent.on('error', reject)
    if (patienceMs !== undefined) sent.setTimeout(patienceMs, () => sent.destroy(new Error(`nothing came in ${patienceMs / 1000} s: it may be stopped, or have far too much to do`)))
    sent.end(text)
  })
}

function read (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export function codeOf (error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
