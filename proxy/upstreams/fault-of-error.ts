import { Fault, type FaultCode } from '../pipeline/faults.ts'

/** Errors of the system that say: nobody could be reached. */
const unreachable: ReadonlySet<string> = new Set([
  'ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'EADDRNOTAVAIL',
  'EACCES', 'EPERM', 'EINVAL',
])

/** Errors that say: this process, or this machine, may open nothing more. No target has done anything. */
const exhausted: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM'])

/** Errors of a connection that was in use. */
const broken: ReadonlySet<string> = new Set([
  'ECONNRESET', 'EPIPE', 'ECONNABORTED', 'ETIMEDOUT', 'EPROTO', 'EHOSTUNREACH', 'ENETUNREACH', 'ENETDOWN', 'ERR_STREAM_DESTROYED', 'ERR_STREAM_WRITE_AFTER_END',
])

/** What went wrong before a request could be written. */
export function connectFault (error: unknown, secure: boolean): Fault {
  if (error instanceof Fault) return error
  const { code, message } = describe(error)
  if (exhausted.has(code)) return new Fault('OVERLOADED', `no connection to the target can be opened here: ${message}`, error)
  // RFC 7301 section 3.2: none of the protocols that were offered is one of the target's.
  if (code.endsWith('NO_APPLICATION_PROTOCOL')) return new Fault('UPSTREAM_HTTP_VERSION', 'the target speaks no HTTP version that was offered', error)
  // Whatever else happens before a TLS connection is usable belongs to the handshake: bad certificate, plain HTTP, a hang-up.
  return new Fault(secure && !unreachable.has(code) ? 'UPSTREAM_TLS' : 'UPSTREAM_CONNECT', message, error)
}

/** What went wrong after the request was written, at least in part. */
export function exchangeFault (error: unknown): Fault {
  if (error instanceof Fault) return error
  const { code, message } = describe(error)
  return new Fault(exchangeCode(code), message, error)
}

function exchangeCode (code: string): FaultCode {
  return broken.has(code) || code.startsWith('ERR_SSL_') ? 'UPSTREAM_RESET' : 'INTERNAL'
}

function describe (error: unknown): { code: string, message: string } {
  if (!(error instanceof Error)) return { code: '', message: String(error) }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  // Node's AggregateError for several addresses of one name has no message of its own.
  const message = error.message !== '' ? error.message : code
  return { code, message }
}
