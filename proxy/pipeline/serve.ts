import { watched, type Body } from './body.ts'
import { answerOf, lastReply } from './chain.ts'
import type { Client, Exchange, Reply, Route, Upgrade } from './exchange.ts'
import { faultAnswer, type FaultPages } from './fault-reply.ts'
import { Fault, Refusal } from './faults.ts'
import { dropFromTrailers, dropHopByHop, rebuildForwarded, takesTrailers } from './forwarded.ts'
import { canonicalName, type HeaderList } from './headers.ts'
import { countHops } from './hops.ts'
import { readPath } from './path.ts'

/** What one listener serves at this moment: the part of a snapshot that the life of a request needs. */
export interface Site {
  readonly isTrusted: (address: string) => boolean
  /** Canonical names (see `canonicalName`) of fields that only the proxy or an agent may set; asked anew for each exchange. */
  readonly guardedHeaders: () => ReadonlySet<string>
  readonly match: (x: Exchange) => Route | undefined
  /** The operator's own pages for errors, where no route was found. */
  readonly faultPages?: FaultPages | undefined
  /** Takes a place among the requests in flight, and waits for one where some may. Throws, or rejects with, a `Fault` when there is none. */
  readonly admit: (x: Exchange) => Promise<void> | undefined
  readonly release: (x: Exchange) => void
  /** Log, metrics, evidence. Must not throw. */
  readonly observe: (x: Exchange) => void
}

/** The life of one request, top to bottom. */
export async function serve (x: Exchange, site: Site, client: Client): Promise<void> {
  let admitted = false
  try {
    const place = site.admit(x)
    if (place !== undefined) {
      await place
      x.queuedMs = performance.now() - x.startedMs
    }
    admitted = true
    prepareHead(x, site)

    const route = x.route = site.match(x)
    if (route === undefined) throw new Fault('NO_ROUTE')
    if (x.upgrade === undefined) limitBody(x, route, site)
    else prepareUpgrade(x, x.upgrade, route)

    // A promise is awaited only where there is one: each costs a tenth of a microsecond, and most requests meet one.
    const answer = countHops(x) ?? answerOf(x, route)
    x.reply = answer instanceof Promise ? await answer : answer
    const last = lastReply(x, route, x.reply)
    const reply = x.reply = last instanceof Promise ? await last : last
    reply.headers.set('X-Request-Id', x.id)
    x.firstByteMs = performance.now() - x.startedMs
    const sent = client.send(reply)
    if (sent instanceof Promise) await sent
  } catch (error) {
    await repair(x, error, client, site)
  } finally {
    x.requestBody?.cancel()
    x.upgrade?.input.cancel()
    x.durationMs = performance.now() - x.startedMs
    if (admitted) site.release(x)
    tellFilters(x)
    site.observe(x)
  }
}

/** Makes the head what routes and agents judge: nothing of another hop, the client's true address, one reading of the path. */
export function prepareHead (x: Exchange, site: Pick<Site, 'isTrusted' | 'guardedHeaders'>): void {
  // Said about this hop; those behind it are told anew.
  x.takesTrailers = takesTrailers(x.request.headers)
  dropHopByHop(x.request.headers)
  rebuildForwarded(x, site.isTrusted)
  const { path, upstreamPath } = readPath(x.request.rawPath)
  x.request.path = path
  x.request.upstreamPath = upstreamPath
  removeGuarded(x.request.headers, site.guardedHeaders())
}

/** A filter whose last word fails is a bug; it takes nothing from the others, and the log says so. */
function tellFilters (x: Exchange): void {
  for (let i = x.entered - 1; i >= 0; i--) {
    try {
      x.route!.filters[i]!.onDone?.(x)
    } catch (error) {
      x.fault ??= Fault.from(error)
    }
  }
}

/** The one place where something that went wrong becomes something the client sees. An answer that has begun stays the one that it got, cut off. */
async function repair (x: Exchange, error: unknown, client: Client, site: Site): Promise<void> {
  x.reply?.body?.cancel()
  // What ended a tunnel is known before its ends break.
  if (!(error instanceof Refusal)) x.fault ??= Fault.from(error)
  if (client.began) return client.abort()
  x.reply = answerTo(error, x, site)
  if (x.reply === undefined) return client.abort()
  x.firstByteMs = performance.now() - x.startedMs
  try {
    // A client that is still sending a body nobody wants is told so, and reads the answer before the connection closes.
    await client.send(x.reply)
  } catch (later) {
    x.fault ??= Fault.from(later)
    if (!client.began) x.reply = undefined
    client.abort()
  }
}

/** `undefined` when nobody is there to read one. */
function answerTo (error: unknown, x: Exchange, site: Site): Reply | undefined {
  if (error instanceof Refusal) {
    error.reply.headers.set('X-Request-Id', x.id)
    return error.reply
  }
  const { code, row, retryAfterMs } = x.fault!
  return row.status === 0 ? undefined : faultAnswer(x, code, retryAfterMs, site.faultPages)
}

/**
 * Facts that only the proxy or an agent may state do not come in from outside, under no spelling and on no route: a route may
 * match on them, and another may lead to the same upstream without the agent. Host is not such a fact, whatever an agent says.
 */
function removeGuarded (fields: HeaderList, guarded: ReadonlySet<string>): void {
  if (guarded.size === 0) return
  fields.removeIf((name) => {
    const canonical = canonicalName(name)
    return guarded.has(canonical) && canonical !== 'host'
  })
}

/** A tunnel is seen by no filter that looks at bodies, and has no end that a limit could wait for: a route has to want it. */
function prepareUpgrade (x: Exchange, upgrade: Upgrade, route: Route): void {
  if (route.upgrades !== true) throw new Fault('UPGRADE_REFUSED')
  upgrade.input = watched(upgrade.input, (chunk) => { x.requestBytes += chunk?.length ?? 0 })
}

function limitBody (x: Exchange, route: Route, site: Pick<Site, 'guardedHeaders'>): void {
  const { requestBody } = x
  if (requestBody === undefined) return
  if (requestBody.length !== undefined && requestBody.length > route.maxBodyBytes) throw new Fault('BODY_TOO_LARGE')
  x.requestBody = counted(x, requestBody, route.maxBodyBytes, site)
}

/** Counts what the client sent, and stops it at the limit: a chunked body does not say its length beforehand. */
function counted (x: Exchange, body: Body, maxBytes: number, site: Pick<Site, 'guardedHeaders'>): Body {
  return watched(body, (chunk) => {
    if (chunk === undefined) {
      const { trailers } = body
      if (trailers === undefined) return
      dropFromTrailers(trailers)
      return removeGuarded(trailers, site.guardedHeaders())
    }
    if ((x.requestBytes += chunk.length) <= maxBytes) return
    body.cancel()
    throw new Fault('BODY_TOO_LARGE')
  })
}
