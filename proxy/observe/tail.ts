import { ipMatcher, parseIpRange, type IpRange } from '../../config/schema/address.ts'
import type { Exchange } from '../pipeline/exchange.ts'
import type { TapPlace } from '../pipeline/agent-tap.ts'
import type { RecordTerms, Seen, TailFilter } from '../pipeline/tail-filter.ts'
import { jsonLine } from './access-line.ts'
import { caseLine } from './case-line.ts'
import { Recorder } from './recorder.ts'

/** Gives on what was seen; calls `sent` when it has left, so that more may follow. */
export type Deliver = (id: number, seen: Seen, sent: () => void) => void

/** Lines of one that look on that may be on their way; what comes then is counted. */
const mostOnTheWay = 2_000
/** Characters of them: a case of a recording is longer than a line of a log. */
const mostCharsOnTheWay = 16 * 1024 * 1024

interface Watcher {
  readonly fits: (x: Exchange) => boolean
  readonly record: RecordTerms | undefined
  chars: number
  lines: string[]
  lost: number
  onTheWay: number
}

/** Those who look at exchanges of this process as they end. While there are none, nothing is done. */
export class Tails {
  active = false
  readonly #watchers = new Map<number, Watcher>()
  readonly #deliver: Deliver
  readonly #taps: TapPlace
  #scheduled = false
  /** There while somebody records. */
  #recorder: Recorder | undefined

  constructor (deliver: Deliver, taps: TapPlace = { tap: undefined }) {
    this.#deliver = deliver
    this.#taps = taps
  }

  /** `undefined` ends it. */
  watch (id: number, filter: TailFilter | undefined): void {
    if (filter === undefined) this.#watchers.delete(id)
    else if (!this.#watchers.has(id)) {
      this.#watchers.set(id, { fits: compileTailFilter(filter), record: filter.record, chars: 0, lines: [], lost: 0, onTheWay: 0 })
    }
    this.active = this.#watchers.size > 0
    this.#tap()
  }

  /** The exchange is over. */
  observe (x: Exchange): void {
    let line: string | undefined
    for (const watcher of this.#watchers.values()) {
      if (watcher.record !== undefined || !watcher.fits(x)) continue
      this.#give(watcher, () => line ??= jsonLine(x, Date.now(), []).trimEnd())
    }
    if (this.#recorder !== undefined) this.#record(x, this.#recorder)
  }

  /** Whoever records gets it when agents have said all that they will: in shadow mode that is later. */
  #record (x: Exchange, recorder: Recorder): void {
    const nowMs = Date.now()
    const wanting = [...this.#watchers.values()].filter(({ record, fits }) => record !== undefined && fits(x))
    recorder.finish(x.id, (talks) => {
      for (const watcher of wanting) this.#give(watcher, () => caseLine(x, talks, watcher.record!, nowMs)) // Those without were left out.
    })
    for (const watcher of wanting) watcher.lost += recorder.lost
    if (wanting.length > 0) recorder.lost = 0
  }

  #give (watcher: Watcher, make: () => string | undefined): void {
    const full = watcher.onTheWay + watcher.lines.length >= mostOnTheWay || watcher.chars > mostCharsOnTheWay
    const line = full ? undefined : make()
    if (line === undefined) watcher.lost++
    else {
      watcher.lines.push(line)
      watcher.chars += line.length
    }
    if (!this.#scheduled) setImmediate(() => this.#flush())
    this.#scheduled = true
  }

  #tap (): void {
    const terms = [...this.#watchers.values()].flatMap(({ record }) => record === undefined ? [] : [record])
    this.#recorder = terms.length === 0 ? undefined : this.#recorder ?? new Recorder()
    if (this.#recorder !== undefined) this.#recorder.maxBodyBytes = Math.max(...terms.map(({ bodies, maxBodyBytes }) => bodies ? maxBodyBytes : 0))
    this.#taps.tap = this.#recorder
  }

  #flush (): void {
    this.#scheduled = false
    for (const [id, watcher] of this.#watchers) {
      const { lines, lost } = watcher
      if (lines.length === 0 && lost === 0) continue
      watcher.lines = []
      watcher.lost = 0
      watcher.onTheWay += lines.length
      const chars = lines.reduce((sum, line) => sum + line.length, 0)
      this.#deliver(id, { lines, lost }, () => {
        watcher.onTheWay -= lines.length
        watcher.chars -= chars
      })
    }
  }
}

/** Throws when an address is none. */
export function compileTailFilter ({ routes, statuses, agents, ips, methods, paths }: TailFilter): (x: Exchange) => boolean {
  const tests: Array<(x: Exchange) => boolean> = []
  const oneOf = <T>(wanted: readonly T[], test: (x: Exchange) => boolean): void => { if (wanted.length > 0) tests.push(test) }
  oneOf(routes, ({ route }) => route !== undefined && routes.includes(route.name))
  oneOf(statuses, ({ reply }) => {
    const status = reply?.status ?? 0
    return statuses.some(([from, to]) => from <= status && status <= to)
  })
  oneOf(agents, ({ decisions }) => decisions !== undefined && decisions.some(({ agent }) => agents.includes(agent)))
  const inNetworks = ipMatcher(ips.map(rangeOf))
  oneOf(ips, ({ clientIp }) => inNetworks(clientIp))
  const upper = methods.map((method) => method.toUpperCase())
  oneOf(methods, ({ request }) => upper.includes(request.method.toUpperCase()))
  const fits = paths.map(pathTest)
  oneOf(paths, ({ request }) => fits.some((test) => test(request.rawPath)))
  return (x) => tests.every((test) => test(x))
}

function rangeOf (text: string): IpRange {
  const range = parseIpRange(text)
  if ('value' in range) return range.value
  throw new Error(`${text} is no address and no network such as 10.0.0.0/8`)
}

/** Without an expression: whoever asks may be careless, and paths are long. */
function pathTest (wanted: string): (path: string) => boolean {
  if (!wanted.includes('*')) return (path) => path.startsWith(wanted)
  const [first = '', ...rest] = wanted.split('*')
  const last = rest.pop() ?? ''
  return (path) => {
    if (!path.startsWith(first) || !path.endsWith(last)) return false
    let at = first.length
    for (const piece of rest) {
      const found = path.indexOf(piece, at)
      if (found === -1) return false
      at = found + piece.length
    }
    return at <= path.length - last.length
  }
}
