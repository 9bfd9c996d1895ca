import { isIPv6 } from 'node:net'
import type { Address } from '../schema/address.ts'
import { peerRange } from '../schema/address.ts'
import { optionalBlock } from '../schema/blocks.ts'
import { list, optional, setting } from '../schema/fields.ts'
import type { Here } from '../schema/read-block.ts'
import type { ValueType } from '../schema/value.ts'
import { unfit } from '../schema/value.ts'
import { bool, integer, textLike } from '../schema/values.ts'

/** The low nine bits of a file's mode, in octal as `chmod` has them. */
const fileMode: ValueType<number> = {
  name: 'file mode',
  expected: 'a file mode in octal',
  example: '"0660"',
  json: { type: 'string', pattern: '^0?[0-7]{3}$' },
  parse (raw) {
    if (typeof raw === 'number') return { wrong: '', hint: 'write it as a text, for example "0660"' }
    return typeof raw === 'string' && /^0?[0-7]{3}$/.test(raw) ? { value: Number.parseInt(raw, 8) } : unfit
  },
}

const account = textLike('the name or number of an account', /^[A-Za-z0-9_][A-Za-z0-9_.-]*\$?$/, '"www-data"')

/** Who is believed when it states, in front of everything else, whom it speaks for. */
export const acceptedProxyProtocol = optionalBlock({
  from: list(peerRange, [], 'Senders that state the client: IP addresses, ranges in CIDR form, or "unix:" for whoever comes in through a Unix socket. Others are not believed.'),
  required: setting(bool, true, 'Whether these senders must send a header within `request-timeout`. #false also serves those of their connections that begin otherwise: only where nobody can make such a sender connect without one.'),
}, 'Take the client\'s address from a header of the PROXY protocol, version 1 or 2, in front of the connection (before TLS). `trusted-proxies` are then asked about the stated address.', {
  example: 'proxy-protocol { from "10.0.0.0/8" }',
  build (value, here) {
    if (value.from.length === 0 && here.clean) {
      here.report.error('CONFIG_MISSING', `${here.scope} needs 'from'`, here.at, 'write from "10.0.0.0/8": whoever may state the client\'s address could be any client')
    }
    return value
  },
})

export const socketFields = {
  proxyProtocol: acceptedProxyProtocol,
  backlog: setting(integer(1, 65_535), 1024, 'Connections that wait to be accepted; the system may allow fewer (`net.core.somaxconn`).'),
  reusePort: setting(bool, false, 'Let other processes listen on the same address: the system spreads connections over them. Needs Node.js 22.12 or 23.1.'),
  ipv6Only: setting(bool, false, 'Of an IPv6 address: take no IPv4 clients. Without it `[::]` takes both.', { name: 'ipv6-only' }),
  socketMode: optional(fileMode, 'Who may connect to a Unix socket: its file mode; "0660" without it.'),
  socketOwner: optional(account, 'Owner of the file of a Unix socket; the account of the process without it.'),
  socketGroup: optional(account, 'Group of the file of a Unix socket; that of the process without it.'),
}

interface SocketAsGiven {
  readonly address: Address
  readonly reusePort: boolean
  readonly ipv6Only: boolean
}

/** Settings that do not fit the address would never have an effect. */
export function checkSocket ({ address, reusePort, ipv6Only }: SocketAsGiven, here: Here<typeof socketFields>): void {
  const unix = address.path !== undefined
  for (const name of ['socketMode', 'socketOwner', 'socketGroup'] as const) {
    if (!unix && here.given(name)) here.report.error('CONFIG_CONTRADICTION', `${here.scope} has no Unix socket, but settings of one`, here.where(name), 'write address "unix:/path"')
  }
  if (ipv6Only && !isIPv6(address.host)) {
    here.report.error('CONFIG_CONTRADICTION', `'ipv6-only' of ${here.scope} is for IPv6 addresses`, here.where('ipv6Only'), 'write address "[::]:80"')
  }
  if (!reusePort) return
  if (unix) here.report.error('CONFIG_CONTRADICTION', `'reuse-port' of ${here.scope} is for ports`, here.where('reusePort'))
  else if (!canReusePort(process.versions.node)) {
    here.report.error('CONFIG_TYPE', `'reuse-port' of ${here.scope} needs Node.js 22.12, 23.1 or newer; this is ${process.versions.node}, which would ignore it`, here.where('reusePort'), 'leave it out, or run a newer Node.js')
  }
}

/** Node.js passes SO_REUSEPORT on since these versions. */
export function canReusePort (version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major >= 24 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12)
}
