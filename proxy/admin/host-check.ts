import { isIP } from 'node:net'

/**
 * Whether a Host field may be answered. A web page of a stranger can point its own name at 127.0.0.1 (DNS rebinding) and read what
 * the admin address says, but the browser then sends that stranger's name. Names that no stranger can own are fine: loopback
 * names, addresses, names the operator wrote, and, when the address is meant to be reached by others, names without a dot (those of
 * containers and of the local network).
 */
export function isHostAllowed (host: string | undefined, options: { configured: readonly string[], loopback: boolean }): boolean {
  // HTTP/1.0 without Host: no browser sends that.
  if (host === undefined) return true
  const name = hostName(host)
  if (name === undefined) return false
  if (isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost')) return true
  if (options.configured.some((own) => own.toLowerCase() === name)) return true
  return !options.loopback && !name.includes('.')
}

/** The name in a Host field, lower case, without port and brackets; `undefined` when it is none (RFC 9110 section 7.2). */
function hostName (host: string): string | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::\d{0,5})?$/.exec(host)
  return (match?.[1] ?? match?.[2])?.toLowerCase().replace(/\.$/, '')
}

export function isLoopback (host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}
