import { Fault } from '../../pipeline/faults.ts'
import { dialTo } from '../dial.ts'
import { proxyHeader } from '../proxy-header.ts'
import type { TargetSettings } from '../target.ts'
import type { CheckResult, Reach, TcpCheck } from './settings.ts'

/** A check has no client. */
const nobody = { clientIp: '', clientPort: 0, peer: { address: '', port: 0, tls: undefined } }

/** A connection, with its TLS handshake where the traffic has one. Nothing is said on it. */
export function checkTcp (target: TargetSettings, { tls, http2, proxyProtocol }: Reach, { timeoutMs }: TcpCheck): Promise<CheckResult> {
  const dial = dialTo({ ...target, tls }, http2 === undefined ? ['http/1.1'] : http2.when === 'always' ? ['h2'] : ['h2', 'http/1.1'])
  // Without it a target that expects it would not go on to TLS.
  const greeting = proxyProtocol === undefined ? '' : proxyHeader(proxyProtocol, nobody)
  const startedMs = performance.now()
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => over(new Fault('UPSTREAM_TIMEOUT', `no connection within ${timeoutMs} ms`)), timeoutMs)
    const socket = dial(greeting, () => over(undefined))
    const over = (error: Error | undefined): void => {
      clearTimeout(late)
      socket.destroy()
      if (error !== undefined) reject(error)
      else resolve({ healthy: true, degraded: false, why: tls === undefined ? 'connected' : 'connected, TLS is in order', ms: performance.now() - startedMs })
    }
    socket.on('error', over)
    socket.on('close', () => over(new Fault('UPSTREAM_CONNECT', 'the connection was closed before it was ready')))
  })
}
