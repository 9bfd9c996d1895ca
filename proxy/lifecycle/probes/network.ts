import { readFileSync } from 'node:fs'
import { connect as connectSocket, isIP, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import type { Effective } from '../../../config/schema/index.ts'
import type { SentinelConfig, TargetConfig, UpstreamConfig } from '../../../config/sentinel/index.ts'
import { namedAt } from './named-at.ts'
import { probeAll, probeMs, reasonOf, type Finding } from './probe.ts'

/** Connects to every target, with TLS where its upstream wants that. Nothing is sent beyond the handshake. */
export function probeNetwork (config: SentinelConfig, tree: readonly Effective[]): Promise<Finding[]> {
  const places = namedAt(tree)
  const targets = config.upstreams.flatMap((upstream) => upstream.targets.map((target) => ({ upstream, target })))
  return probeAll(targets, async ({ upstream, target }) => {
    const what = `target ${places.text(target.at, ['address']) ?? '(unnamed)'} of upstream '${upstream.id}'`
    const result = upstream.tls === undefined ? await connectPlain(target) : await connectSecurely(target, upstream.tls)
    return { probe: 'network', at: target.at, what, ...result }
  })
}

type Result = Pick<Finding, 'level' | 'message' | 'hint'>

async function connectPlain ({ address: { host, port, path } }: TargetConfig): Promise<Result> {
  const started = performance.now()
  return settled(connectSocket(path === undefined ? { host, port } : { path }), 'connect', () => ({ level: 'ok', message: `connected in ${Math.round(performance.now() - started)} ms` }))
}

/** As the proxy itself connects: the same name, the same authorities. */
function connectSecurely ({ address: { host, port, path } }: TargetConfig, tls: NonNullable<UpstreamConfig['tls']>): Promise<Result> {
  const started = performance.now()
  const name = tls.sni ?? (isIP(host) === 0 && host !== '' ? host : undefined)
  const ca = tls.caCert === undefined ? undefined : attempt(() => readFileSync(tls.caCert!, 'utf8'))
  if (tls.caCert !== undefined && ca === undefined) return Promise.resolve({ level: 'error', message: 'the file of ca-cert cannot be read' })
  const socket = connectTls({
    ...path === undefined ? { host, port } : { path }, minVersion: 'TLSv1.2', rejectUnauthorized: !tls.insecureSkipVerify, ALPNProtocols: ['http/1.1'],
    ...name === undefined ? {} : { servername: name }, ...ca === undefined ? {} : { ca },
  })
  return settled(socket, 'secureConnect', () => {
    const message = `${socket.getProtocol() ?? 'TLS'} in ${Math.round(performance.now() - started)} ms`
    if (!tls.insecureSkipVerify) return { level: 'ok', message: `${message}, its certificate is good until ${day(socket)}` }
    return socket.authorized
      ? { level: 'warning', message: `${message}; its certificate is good, and nobody looks at it`, hint: 'leave out insecure-skip-verify' }
      : { level: 'warning', message: `${message}; its certificate would be refused if somebody looked at it`, hint: 'name its authority with ca-cert, and leave out insecure-skip-verify' }
  })
}

function day (socket: TLSSocket): string {
  const { valid_to: until } = socket.getPeerCertificate()
  return until === undefined ? 'an unknown day' : new Date(until).toISOString().slice(0, 10)
}

function settled (socket: Socket, event: 'connect' | 'secureConnect', good: () => Result): Promise<Result> {
  return new Promise((resolve) => {
    const done = (result: Result): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(result)
    }
    const timer = setTimeout(() => done({ level: 'error', ...reasonOf('TIMEOUT') }), probeMs)
    socket.once(event, () => done(good()))
    socket.once('error', (error: NodeJS.ErrnoException) => done({ level: 'error', ...tlsReason(error) ?? reasonOf(codeOf(error)) }))
    socket.once('close', () => done({ level: 'error', ...reasonOf('ECONNRESET') }))
  })
}

/** Several addresses of one name fail together: the first says why. */
function codeOf (error: NodeJS.ErrnoException): string {
  const [first] = error instanceof AggregateError ? error.errors as NodeJS.ErrnoException[] : []
  return error.code ?? first?.code ?? 'unknown reason'
}

function tlsReason ({ code = '' }: NodeJS.ErrnoException): Pick<Result, 'message' | 'hint'> | undefined {
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return { message: 'its certificate is for other names', hint: 'write the name that is in the certificate as sni' }
  if (code === 'CERT_HAS_EXPIRED') return { message: 'its certificate expired', hint: 'renew it there' }
  if (/SELF_SIGNED|UNABLE_TO_(?:GET_ISSUER|VERIFY)|CERT_UNTRUSTED/.test(code)) {
    return { message: `nobody that is trusted here issued its certificate (${code})`, hint: 'name its authority with ca-cert' }
  }
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG') return { message: 'it does not speak TLS there', hint: 'correct the port, or leave out tls' }
  return /^(?:ERR_SSL|ERR_TLS|CERT_)/.test(code) ? { message: `the TLS handshake fails (${code})` } : undefined
}

function attempt<T> (make: () => T): T | undefined {
  try {
    return make()
  } catch {
    return undefined
  }
}
