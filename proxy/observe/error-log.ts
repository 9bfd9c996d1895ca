import type { Exchange } from '../pipeline/exchange.ts'
import { isoTime } from './access-line.ts'
import { safeFacts } from './facts.ts'
import type { LogRecord } from './log.ts'
import { quote } from './quote.ts'
import { scrubText } from './redact.ts'

export interface ErrorLog {
  /** The exchange is over. */
  readonly observe: (x: Exchange) => void
  /** The program has said something. */
  readonly heard: (record: LogRecord) => void
}

/** What went wrong with exchanges, and what the program says of warnings and errors. `write` takes lines of JSON with their ends. */
export function errorLog (level: 'warn' | 'error', write: (line: string) => void): ErrorLog {
  return {
    observe (x) {
      const { fault } = x
      if (fault === undefined) return
      // What clients do wrong is no error of anybody who reads this.
      const own = fault.row.blame === 'client' ? 'warn' : 'error'
      if (level === 'error' && own === 'warn') return
      let line = head(own, fault.row.doc) + `,"code":"${fault.code}","request_id":"${x.id}"`
      if (x.route !== undefined) line += `,"route_id":${quote(x.route.name)}`
      if (x.upstream !== '') line += `,"upstream":${quote(x.upstream)}`
      if (x.target !== '') line += `,"target":${quote(x.target)}`
      line += `,"client_ip":${quote(x.clientIp)},"status":${x.reply?.status ?? 0}`
      if (fault.detail !== undefined) line += `,"details":${quote(scrubText(fault.detail.slice(0, 2048)), 2048)}`
      write(`${line}}\n`)
    },
    heard ({ level: own, message, facts }) {
      if (own !== 'error' && (level === 'error' || own !== 'warn')) return
      const { code, ...rest } = facts
      const details = JSON.stringify(safeFacts(rest))
      write(`${head(own, scrubText(message))}${typeof code === 'string' ? `,"code":${quote(code, 64)}` : ''}${details === '{}' ? '' : `,"details":${details}`}}\n`)
    },
  }
}

function head (level: string, message: string): string {
  return `{"timestamp":"${isoTime(Date.now())}","level":"${level}","message":${quote(message, 4096)}`
}
