import { Malformed, readFields } from '../http1/fields.ts'
import { readRequestLine } from '../http1/request-line.ts'

/** What an agent says when it connects. */
export interface ArrivalHead {
  readonly agent: string
  /** `undefined`: it shows none. */
  readonly token: string | undefined
  /** Which of its processes it is, as it names itself; "" when it does not say. */
  readonly instance: string
}

/** Longest head; nobody needs a tenth of it. */
export const maxHeadBytes = 4_096

export const connectPath = '/sentinel.agent.v1/connect'
export const upgradeToken = 'sentinel-agent'

/**
 * Reads the head with which an agent asks to be asked: a request of HTTP/1.1 that wants to become something else (RFC 9110 section 7.8). `text` has one
 * char for each octet and ends with the empty line. Gives one sentence when it is something else.
 */
export function readArrivalHead (text: string): ArrivalHead | string {
  const line = readRequestLine(text, 0)
  if (line instanceof Malformed) return line.detail
  if (line.method !== 'GET' || line.target !== connectPath || line.version !== '1.1') return `this is where agents connect: GET ${connectPath} HTTP/1.1`
  const fields: string[] = []
  const end = readFields(text, line.end, fields, 32)
  if (end instanceof Malformed) return end.detail
  if (end !== text.length) return 'an agent says nothing more until it is answered'
  const one = (name: string): string | undefined | null => {
    const found = fields.flatMap((field, i) => i % 2 === 0 && field.toLowerCase() === name ? [fields[i + 1]!] : [])
    return found.length > 1 ? null : found[0]
  }
  if (one('upgrade')?.toLowerCase() !== upgradeToken) return `the field Upgrade has to be ${upgradeToken}`
  if (one('content-length') !== undefined || one('transfer-encoding') !== undefined) return 'an agent sends no body'
  const agent = decoded(one('sentinel-agent'))
  if (agent === undefined) return 'the field Sentinel-Agent has to be the name of the agent, percent-encoded'
  const credentials = one('authorization')
  if (credentials === null) return 'more than one field Authorization'
  const [, token] = /^Bearer +([\x21-\x7e]+)$/i.exec(credentials ?? '') ?? []
  if (credentials !== undefined && token === undefined) return 'the field Authorization has to be Bearer and the token'
  const instance = one('sentinel-instance') ?? ''
  if (!/^[\w.-]{0,64}$/.test(instance)) return 'the field Sentinel-Instance has to be a word of at most 64 characters'
  return { agent, token, instance }
}

function decoded (text: string | undefined | null): string | undefined {
  if (text === undefined || text === null || text === '' || text.length > 512) return undefined
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
