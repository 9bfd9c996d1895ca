import { Fault, type FaultCode } from '../pipeline/faults.ts'

/** Errors of the system that say: nobody could be reached. */
const unreachable: ReadonlySet<string> = new Set([
  'ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'EADDRNOTAVAIL',
  'EMFILE', 'ENFILE', 'EACCES', 'EPERM', 'EINVAL', 'UND_ERR_CONNECT_TIMEOUT',
])

/** What went wrong before a request could be written. */
export function connectFault (error: unknown, secure: boolean): Fault {
  const { code, message } = describe(error)
  // Whatever else happens before a TLS connection is usable belongs to the handshake: bad certificate, plain HTTP, a hang-up.
  return new Fault(secure && !unreachable.has(code) ? 'UPSTREAM_TLS' : 'UPSTREAM_CONNECT', message, error)
}

/** What went wrong after the request was written, at least in part. `begun`: the head of an answer had been read. */
export function exchangeFault (error: unknown, begun: boolean): Fault {
  if (error instanceof Fault) return error
  const { code, message } = describe(error)
  return new Fault(exchangeCode(error, code, message, begun), message, error)
}

function exchangeCode (error: unknown, code: string, message: string, begun: boolean): FaultCode {
  // Undici's parser errors carry no usable code; the end of the connection inside a chunked body is one of them.
  if (error instanceof Error && error.name === 'HTTPParserError') return message.includes('EOF') ? 'UPSTREAM_RESET' : 'UPSTREAM_PROTOCOL'
  switch (code) {
    case 'UND_ERR_SOCKET':
      // An answer nobody asked for, 101 without a request for it, `100 Continue` out of place.
      return message === 'bad response' || message === 'bad upgrade' ? 'UPSTREAM_PROTOCOL' : 'UPSTREAM_RESET'
    case 'UND_ERR_HEADERS_OVERFLOW': return 'UPSTREAM_PROTOCOL'
    // Undici's parser asserts what it takes for granted of an answer, such as a status of 100 or more.
    case 'ERR_ASSERTION': return 'UPSTREAM_PROTOCOL'
    // Also what undici makes of two lengths in one head.
    case 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH': return begun ? 'UPSTREAM_RESET' : 'UPSTREAM_PROTOCOL'
    case 'ECONNRESET': case 'EPIPE': case 'ECONNABORTED': case 'ETIMEDOUT': case 'EPROTO': return 'UPSTREAM_RESET'
  }
  return code.startsWith('ERR_SSL_') ? 'UPSTREAM_RESET' : 'INTERNAL'
}

function describe (error: unknown): { code: string, message: string } {
  if (!(error instanceof Error)) return { code: '', message: String(error) }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  // Node's AggregateError for several addresses of one name has no message of its own.
  const message = error.message !== '' ? error.message : code
  return { code, message }
}
