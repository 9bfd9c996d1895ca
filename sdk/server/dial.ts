import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { connect as connectSocket, type Socket } from 'node:net'
import { connect as connectTls, TLSSocket } from 'node:tls'
import type { Log } from '../log.ts'

/** Where the proxy is that an agent connects to, and what it shows there. */
export interface DialTarget {
  readonly to: { readonly path: string } | { readonly host: string, readonly port: number }
  readonly tls: DialTls | undefined
  /** Its name in the proxy's configuration. */
  readonly agent: string
  /** Asked for each attempt: a file may hold another by then. `undefined` where none is needed. */
  readonly token: () => string | undefined
}

/** PEM files. Without `ca` the system's authorities count. */
export interface DialTls {
  readonly ca: string | undefined
  readonly cert: string | undefined
  readonly key: string | undefined
  readonly serverName: string | undefined
}

export interface Dialler {
  /** Connects no more, and lets go of what waits. Open connections stay. */
  stop (): void
}

/** What the proxy says to somebody who connects. */
type Answer =
  | { readonly kind: 'accepted', readonly rest: Buffer }
  | { readonly kind: 'waits' }
  | { readonly kind: 'enough' }
  | { readonly kind: 'refused', readonly why: string }

const connectPath = '/sentinel.agent.v1/connect'
const upgradeToken = 'sentinel-agent'
const answerMs = 10_000
const maxHeadBytes = 8_192
const keepAliveMs = 15_000
/** Looked at so often: it may be silent for twice as long at the most. */
const silentMs = 20_000
const firstPauseMs = 100
const longestPauseMs = 5_000
/** A connection that lasted this long was a good one. */
const provenMs = 2_000
/** Of one process, those that wait among them. */
const maxConnections = 256

/**
 * Connects to the proxy for as long as it wants connections, and again when they end, for ever. The proxy says how many it wants: it accepts, lets one
 * more wait, and turns the next away.
 */
export function dial (target: DialTarget, log: Log, accept: (socket: Socket) => void): Dialler {
  let stopped = false
  let pauseMs = firstPauseMs
  let timer: NodeJS.Timeout | undefined
  let told = ''
  let open = 0
  const waiting = new Set<Socket>()

  const later = (ms: number): void => {
    clearTimeout(timer)
    if (!stopped) timer = setTimeout(attempt, ms * (0.5 + Math.random() / 2))
  }
  const soon = (): void => later(firstPauseMs / 5)
  const backOff = (): void => {
    later(pauseMs)
    pauseMs = Math.min(pauseMs * 2, longestPauseMs)
  }
  const failed = (why: string): void => {
    // The same again and again is said once.
    if (why !== told) log.warn({ event: 'not-connected', why }, 'the proxy cannot be reached, or does not take this agent: trying again')
    told = why
    backOff()
  }

  const attempt = (): void => {
    if (stopped || open >= maxConnections) return
    open++
    let settled = false
    /** The next attempt is up to what came of this one, once. */
    const settle = (then: () => void): void => {
      if (!settled) then()
      settled = true
    }
    let socket: Socket
    try {
      socket = connected(target)
    } catch (error) {
      open--
      return failed(error instanceof Error ? error.message : String(error))
    }
    let acceptedAt = 0
    let lastError = 'the connection was closed'
    const slow = setTimeout(() => { lastError = `no answer in ${answerMs} ms`; socket.destroy() }, answerMs)
    socket.on('error', (error) => { lastError = error.message })
    socket.on('close', () => {
      clearTimeout(slow)
      waiting.delete(socket)
      open--
      if (!settled) settle(() => failed(lastError))
      // One that was of use is gone; one that was not would be made again and again.
      else if (acceptedAt > 0 && performance.now() - acceptedAt < provenMs) backOff()
      else {
        pauseMs = firstPauseMs
        soon()
      }
    })
    readAnswers(socket, (answer) => {
      clearTimeout(slow)
      if (stopped) return void socket.destroy()
      switch (answer.kind) {
        case 'accepted':
          waiting.delete(socket)
          told = ''
          log.info({ event: 'connected' }, 'connected to the proxy')
          // A server of HTTP/2 refuses what was agreed on as HTTP/1.1, which this no longer is.
          if (socket instanceof TLSSocket) socket.alpnProtocol = 'h2'
          if (answer.rest.length > 0) socket.unshift(answer.rest)
          acceptedAt = performance.now()
          watchOver(socket)
          accept(socket)
          return settle(soon)
        case 'waits':
          waiting.add(socket)
          return settle(soon)
        case 'enough':
          socket.removeAllListeners('close')
          open--
          socket.destroy()
          // One that had waited is sent away by a proxy that stops, or has other places now.
          if (waiting.delete(socket)) return soon()
          return settle(backOff)
        case 'refused':
          lastError = answer.why
          return void socket.destroy()
      }
    })
  }

  attempt()
  return {
    stop () {
      stopped = true
      clearTimeout(timer)
      for (const socket of waiting) socket.destroy()
    },
  }
}

/** So that one connection of each process may wait for a place. */
const instance = randomBytes(8).toString('hex')

/** A connection that is being made, with the question on its way. Throws when a file cannot be read. */
function connected ({ to, tls, agent, token }: DialTarget): Socket {
  const shown = token()
  const head = [
    `GET ${connectPath} HTTP/1.1`, `Host: ${'path' in to ? 'localhost' : to.host}`, 'Connection: Upgrade', `Upgrade: ${upgradeToken}`,
    `Sentinel-Agent: ${encodeURIComponent(agent)}`, `Sentinel-Instance: ${instance}`, ...shown === undefined ? [] : [`Authorization: Bearer ${shown}`], '', '',
  ].join('\r\n')
  const socket = tls === undefined || 'path' in to ? connectSocket('path' in to ? { path: to.path } : { ...to, noDelay: true }) : connectTls({
    ...to, ALPNProtocols: ['http/1.1'], minVersion: 'TLSv1.2', servername: tls.serverName ?? nameFor(to.host),
    ...tls.ca === undefined ? {} : { ca: readFileSync(tls.ca) },
    ...tls.cert === undefined || tls.key === undefined ? {} : { cert: readFileSync(tls.cert), key: readFileSync(tls.key) },
  })
  socket.setKeepAlive(true, keepAliveMs)
  socket.setNoDelay(true)
  // Not before it is known who is on the other side.
  socket.once(tls === undefined || 'path' in to ? 'connect' : 'secureConnect', () => socket.write(head))
  return socket
}

/** An address is no name to ask for (RFC 6066 section 3). */
function nameFor (host: string): string {
  return /^[\d.]+$|:/.test(host) ? '' : host
}

/** A proxy asks for a sign of life whenever nothing was said for a second: one that says nothing for long is gone, and could not say so. */
function watchOver (socket: Socket): void {
  let before = -1
  const timer = setInterval(() => {
    if (socket.bytesRead === before) socket.destroy()
    before = socket.bytesRead
  }, silentMs).unref()
  socket.once('close', () => clearInterval(timer))
}

/** Heads of HTTP/1.1 answers, one or two: the proxy may first say that there is no room yet. */
function readAnswers (socket: Socket, take: (answer: Answer) => void): void {
  let received = Buffer.alloc(0)
  const onData = (bytes: Buffer): void => {
    received = Buffer.concat([received, bytes])
    for (;;) {
      const end = received.indexOf('\r\n\r\n')
      if (end < 0) {
        if (received.length > maxHeadBytes) over({ kind: 'refused', why: 'whoever answers there is no proxy of this kind' })
        return
      }
      const head = received.toString('latin1', 0, end)
      received = received.subarray(end + 4)
      const answer = answerOf(head, received)
      if (answer.kind !== 'waits') return over(answer)
      take(answer)
    }
  }
  const over = (answer: Answer): void => {
    socket.off('data', onData)
    socket.pause()
    take(answer)
  }
  socket.on('data', onData)
}

function answerOf (head: string, rest: Buffer): Answer {
  const [, status = '', reason = ''] = /^HTTP\/1\.1 (\d{3}) ?([^\r\n]*)/.exec(head) ?? []
  switch (status) {
    case '101': return { kind: 'accepted', rest }
    case '102': return { kind: 'waits' }
    case '409': return { kind: 'enough' }
    case '': return { kind: 'refused', why: 'whoever answers there is no proxy of this kind' }
    default: return { kind: 'refused', why: `${status} ${reason}${status === '401' ? ': the proxy knows no agent of this name and token' : ''}` }
  }
}
