import { bodyOf, watched, type Body } from '../pipeline/body.ts'
import { EndSignal } from '../pipeline/end-signal.ts'
import { Exchange, type Filter, type Responder } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'

export interface ShadowSettings {
  /** Who gets the copies; its own time-outs bound how long one lives. */
  readonly responder: Responder
  /** 0 to 100. */
  readonly percentage: number
  /** In lower case; only requests with this field of this value are copied. */
  readonly sampleHeader: { readonly name: string, readonly value: string } | undefined
  readonly copiesBodies: boolean
  readonly maxBodyBytes: number
  /** Copies of one route that are under way at a time. */
  readonly maxInFlight: number
}

/** Why a request that was chosen is not copied. */
export type ShadowSkip = 'busy' | 'memory' | 'body' | 'body-too-large' | 'body-incomplete'

/** Where it is counted what became of copies. */
export interface ShadowReport {
  began (): void
  /** `outcome`: the status of the answer, or the code of the fault. */
  sent (outcome: string, durationMs: number): void
  skipped (reason: ShadowSkip): void
}

/** Bytes of bodies that are kept for copies, of all routes of a process together. */
export interface ShadowMemory {
  usedBytes: number
}

/** The same however many routes copy: what a slow mirror can make the proxy keep. */
export const maxShadowBytes = 32 * 1024 * 1024

/** More of an answer is not read: its connection is closed instead. */
const maxAnswerBytes = 1024 * 1024

/** Tells the receiver that nobody waits for its answer, so that it can leave out what must happen once only. It proves nothing: clients can say it, too. */
const mark = 'X-Shadow-Request'

/** Copies of one route that are under way. Outlives a reload, and ends them when the route is gone. */
export class ShadowCopies {
  readonly #open = new Set<EndSignal>()

  get count (): number {
    return this.#open.size
  }

  begin (ending: EndSignal): void {
    this.#open.add(ending)
  }

  over (ending: EndSignal): void {
    this.#open.delete(ending)
  }

  close (): void {
    for (const ending of this.#open) ending.end(new Fault('SHUTTING_DOWN', 'the route that was copied is gone'))
  }
}

/**
 * Sends a copy of requests elsewhere. It stands last in a route, so that what refused requests do is not copied and what is copied is what the
 * upstream gets. The exchange itself waits for nothing: a body is copied as it flows, the copy is sent when it is complete.
 */
export function shadowFilter (settings: ShadowSettings, copies: ShadowCopies, memory: ShadowMemory, report: ShadowReport): Filter {
  const { sampleHeader: sample, percentage, copiesBodies, maxBodyBytes, maxInFlight } = settings
  const chosen = (x: Exchange): boolean => (
    x.upgrade === undefined && (sample === undefined || x.request.headers.getAll(sample.name).includes(sample.value)) &&
    (percentage >= 100 || Math.random() * 100 < percentage)
  )
  const send = (x: Exchange, body: Body | undefined, free: () => void): void => {
    const copy = copyOf(x, body)
    copies.begin(copy.ending)
    report.began()
    // Not in the turn of the exchange: it goes on first.
    setImmediate(() => void run(copy, settings.responder).then((outcome) => {
      copies.over(copy.ending)
      free()
      report.sent(outcome, performance.now() - copy.startedMs)
    }))
  }
  return {
    name: 'shadow',
    onRequest (x) {
      if (!chosen(x)) return undefined
      const { requestBody: body } = x
      if (copies.count >= maxInFlight) report.skipped('busy')
      else if (body === undefined) send(x, undefined, nothingToFree)
      else if (!copiesBodies) report.skipped('body')
      else if ((body.length ?? 0) > maxBodyBytes) report.skipped('body-too-large')
      else {
        const kept = new KeptBody(x, maxBodyBytes, memory, report)
        x.requestBody = watched(body, (chunk) => {
          if (chunk !== undefined) return kept.add(chunk)
          if (!kept.complete()) return
          if (copies.count < maxInFlight) return send(x, kept.take(), () => kept.free())
          kept.drop('busy')
        })
      }
      return undefined
    },
  }
}

function nothingToFree (): void {}

/** What is kept is copied into pages of this size: a piece may be one byte, or a small part of a large buffer. */
const pageBytes = 16 * 1024

/** What has come of a body by now. Gives up, and everything back, at the first limit. */
class KeptBody {
  readonly #maxBytes: number
  readonly #memory: ShadowMemory
  readonly #report: ShadowReport
  readonly #x: Exchange
  #pages: Buffer[] | undefined = []
  #bytes = 0
  #takenBytes = 0

  constructor (x: Exchange, maxBytes: number, memory: ShadowMemory, report: ShadowReport) {
    this.#x = x
    this.#maxBytes = maxBytes
    this.#memory = memory
    this.#report = report
    if (x.ending.reason === undefined) x.ending.listen(this)
  }

  add (chunk: Buffer): void {
    const pages = this.#pages
    if (pages === undefined) return
    if (this.#bytes + chunk.length > this.#maxBytes) return this.drop('body-too-large')
    for (let at = 0; at < chunk.length;) {
      const used = this.#bytes % pageBytes
      if (used === 0 && !this.#addPage(pages)) return this.drop('memory')
      const copied = chunk.copy(pages.at(-1)!, used, at)
      this.#bytes += copied
      at += copied
    }
  }

  #addPage (pages: Buffer[]): boolean {
    if (this.#memory.usedBytes + pageBytes > maxShadowBytes) return false
    pages.push(Buffer.allocUnsafeSlow(pageBytes))
    this.#takenBytes += pageBytes
    this.#memory.usedBytes += pageBytes
    return true
  }

  /** Whether it is all there. */
  complete (): boolean {
    this.#x.ending.ignore(this)
    return this.#pages !== undefined
  }

  /** To be freed by who takes it. */
  take (): Body {
    const whole = Buffer.concat(this.#pages ?? [], this.#bytes)
    this.#pages = undefined
    return bodyOf(whole)
  }

  drop (reason: ShadowSkip): void {
    if (this.#pages === undefined) return
    this.#x.ending.ignore(this)
    this.free()
    this.#report.skipped(reason)
  }

  free (): void {
    this.#pages = undefined
    this.#memory.usedBytes -= this.#takenBytes
    this.#takenBytes = 0
  }

  /** The client left, or the upstream answered without reading it all. */
  onExchangeEnd (): void {
    this.drop('body-incomplete')
  }
}

/** An exchange of its own: nothing that becomes of it is told to the client's. Cookies and credentials go along, for the copy to mean the same. */
function copyOf (x: Exchange, body: Body | undefined): Exchange {
  const headers = x.request.headers.clone()
  headers.set(mark, 'true')
  const copy = new Exchange({
    id: x.id, startedMs: performance.now(), listener: x.listener, peer: x.peer, request: { ...x.request, headers }, requestBody: body, ending: new EndSignal(),
  })
  copy.clientIp = x.clientIp
  copy.clientPort = x.clientPort
  return copy
}

/** Gives the status of the answer, or the code of the fault. Never rejects. */
async function run (copy: Exchange, responder: Responder): Promise<string> {
  try {
    const reply = await responder.respond(copy)
    await discard(reply.body)
    return String(reply.status)
  } catch (error) {
    return Fault.from(error).code
  } finally {
    copy.requestBody?.cancel()
  }
}

async function discard (body: Body | undefined): Promise<void> {
  if (body === undefined) return
  let bytes = 0
  for (let chunk = await body.read(); chunk !== undefined; chunk = await body.read()) {
    bytes += chunk.length
    body.recycle?.(chunk)
    if (bytes > maxAnswerBytes) return body.cancel()
  }
}
