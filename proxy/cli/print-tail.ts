import { printable } from '../observe/quote.ts'
import { painter, type Paint } from './paint.ts'

/** A JSON line of the access log, as far as it is shown. */
interface Shown {
  readonly ts?: string
  readonly status?: number
  readonly method?: string
  readonly host?: string
  readonly path?: string
  readonly query?: string
  readonly client_ip?: string
  readonly route?: string | null
  readonly target?: string
  readonly duration_ms?: number
  readonly first_byte_ms?: number
  readonly queue_ms?: number
  readonly filters_ms?: Readonly<Record<string, number>>
  readonly pool_ms?: number
  readonly connect_ms?: number
  readonly tls_ms?: number
  readonly upstream_ms?: number
  readonly fault?: string
  readonly detail?: string
  readonly agents?: readonly Decided[]
}

interface Decided {
  readonly agent: string
  readonly verdict: string
  readonly mode: string
  readonly status?: number
  readonly ms?: number
  readonly rule_ids?: readonly string[]
  readonly reason?: string
  /** Why there is no decision. */
  readonly fault?: string
}

/** One exchange on one line: when, what came of it, who asked for what, where it went, where the time went, what was decided. Nothing in it can steer the terminal. */
export function tailLine (line: string, colour: boolean): string {
  const x = JSON.parse(line) as Shown // The proxy wrote it.
  const paint = painter(colour)
  const query = x.query === undefined ? '' : `?${x.query}`
  const parts = [
    paint.dim(clock(x.ts)),
    ofStatus(x.status ?? 0, paint),
    paint.bold(printable(`${x.method ?? ''} ${x.host ?? ''}${x.path ?? ''}${query}`)),
    paint.dim(printable(x.client_ip ?? '')),
    printable(`${x.route ?? '(no route)'}${x.target === undefined ? '' : ` → ${x.target}`}`),
    `${tenths(x.duration_ms ?? 0)}ms${paint.dim(timesOf(x))}`,
    ...decisionsOf(x, paint),
    ...x.fault === undefined ? [] : [paint.bad(printable(x.detail === undefined ? x.fault : `${x.fault}: ${x.detail}`))],
  ]
  return `${parts.filter((part) => part !== '').join('  ')}\n`
}

function clock (ts = ''): string {
  const at = new Date(ts)
  const two = (n: number): string => String(n).padStart(2, '0')
  return Number.isNaN(at.getTime()) ? '' : `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${String(at.getMilliseconds()).padStart(3, '0')}`
}

function ofStatus (status: number, paint: Paint): string {
  const text = status === 0 ? '---' : String(status)
  if (status === 0 || status >= 500) return paint.bad(text)
  return status >= 400 ? paint.warn(text) : paint.good(text)
}

/** Where the time went, as far as it went anywhere that is worth a word. */
function timesOf (x: Shown): string {
  const steps: Array<readonly [string, number | undefined]> = [
    ['queue', x.queue_ms], ...Object.entries(x.filters_ms ?? {}), ['pool', x.pool_ms], ['connect', x.connect_ms], ['tls', x.tls_ms], ['upstream', x.upstream_ms],
    ['first byte', x.first_byte_ms],
  ]
  const said = steps.flatMap(([name, ms = 0]) => ms >= 0.05 ? [`${printable(name)} ${tenths(ms)}`] : [])
  return said.length === 0 ? '' : ` (${said.join(', ')})`
}

function tenths (ms: number): string {
  return ms >= 100 ? String(Math.round(ms)) : String(Math.round(ms * 10) / 10)
}

function decisionsOf ({ agents = [] }: Shown, paint: Paint): string[] {
  return agents.map(({ agent, verdict, mode, status, ms, rule_ids: rules = [], reason, fault }) => {
    const why = [reason, fault].filter((word) => word !== undefined).join(' ')
    const parts = [
      `${agent}=${verdict}${status === undefined ? '' : `/${status}`}`, mode === 'enforce' ? '' : `(${mode})`, ms === undefined ? '' : `${tenths(ms)}ms`,
      rules.length === 0 ? '' : `[${rules.join(' ')}]`, why,
    ]
    const text = printable(parts.filter((part) => part !== '').join(' '))
    return verdict === 'allow' ? paint.dim(text) : verdict === 'failed' || verdict === 'block' ? paint.bad(text) : paint.warn(text)
  })
}
