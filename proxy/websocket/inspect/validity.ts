export { isUtf8 } from 'node:buffer'

/** Status codes that may stand in a Close frame (RFC 6455 section 7.4, and what IANA has registered since). */
export function isCloseCode (code: number): boolean {
  return code >= 3000 && code <= 4999 || code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006
}

/** Bytes of a reason: a control frame has 125, two of them are the code. */
export const maxReasonBytes = 123
