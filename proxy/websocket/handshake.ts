import { createHash, randomBytes } from 'node:crypto'
import { listItems, type HeaderList } from '../pipeline/headers.ts'

/** RFC 6455 section 1.3: what shows that an answer was made for this very question. */
const proof = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** 16 bytes in base64 (RFC 6455 section 4.1); the last digit of 16 bytes has four bits that are 0. */
const keyForm = /^[A-Za-z0-9+/]{21}[AQgw]==$/

export const webSocketVersion = '13'

export function newKey (): string {
  return randomBytes(16).toString('base64')
}

/** `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key`. */
export function acceptOf (key: string): string {
  return createHash('sha1').update(key + proof).digest('base64')
}

/** The key of a handshake, when there is one and it is one. */
export function keyOf (headers: HeaderList): string | undefined {
  const [key, ...more] = headers.getAll('sec-websocket-key')
  return key !== undefined && more.length === 0 && keyForm.test(key) ? key : undefined
}

/** Whether a value of `Upgrade` or `Connection` has a word in its list. */
export function lists (value: string | undefined, word: string): boolean {
  return value !== undefined && listItems(value).includes(word)
}
