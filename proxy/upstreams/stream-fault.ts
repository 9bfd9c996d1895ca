import { errorCode, errorName, type Broken } from '../http2/index.ts'
import { Fault } from '../pipeline/faults.ts'

/** What it means for an exchange that its stream is over before its time. */
export function streamFault ({ by, code, unprocessed, detail }: Broken): Fault {
  if (by === 'us') return new Fault('UPSTREAM_PROTOCOL', detail)
  if (by === 'peer') {
    if (code === errorCode.http11Required) return new Fault('UPSTREAM_HTTP_VERSION', 'the target wants this request in HTTP/1.1')
    return new Fault(unprocessed ? 'UPSTREAM_BUSY' : 'UPSTREAM_RESET', `the target reset the stream with ${errorName(code)}`)
  }
  // Of connections that ended, those we have ended were the target's fault.
  const ended = unprocessed || code === errorCode.cancel || code === errorCode.noError
  return new Fault(ended ? 'UPSTREAM_RESET' : 'UPSTREAM_PROTOCOL', detail)
}
