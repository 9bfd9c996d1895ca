import { readFileSync, readlinkSync } from 'node:fs'
import { SocketAddress } from 'node:net'

export interface BoundAddress {
  readonly host: string
  readonly port: number
  /** Of a Unix socket, in place of both. */
  readonly path?: string
}

/** Where an open socket of this process listens, without touching it; `undefined` where the system does not tell (proc(5)). */
export function boundAddress (fd: number): BoundAddress | undefined {
  try {
    const [, inode] = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`)) ?? []
    if (inode === undefined) return undefined
    for (const file of ['tcp', 'tcp6']) {
      const row = rowsOf(file).find((fields) => fields[9] === inode)
      if (row !== undefined) return tcpAddress(row[1]!)
    }
    const path = rowsOf('unix').find((fields) => fields[6] === inode)?.[7]
    return path === undefined ? undefined : { host: '', port: 0, path }
  } catch {
    return undefined
  }
}

function rowsOf (file: string): string[][] {
  return readFileSync(`/proc/self/net/${file}`, 'latin1').split('\n').slice(1).map((line) => line.trim().split(/\s+/))
}

/** "0100007F:1F90": words of four bytes, each in the order of the machine. */
function tcpAddress (text: string): BoundAddress {
  const [hex = '', port = ''] = text.split(':')
  const words = hex.match(/.{8}/g) ?? []
  const bytes = words.flatMap((word) => word.match(/../g)!.map((byte) => Number.parseInt(byte, 16)).toReversed())
  if (bytes.length === 4) return { host: bytes.join('.'), port: Number.parseInt(port, 16) }
  const groups = Array.from({ length: 8 }, (_, index) => ((bytes[index * 2]! << 8) | bytes[index * 2 + 1]!).toString(16))
  return { host: new SocketAddress({ address: groups.join(':'), family: 'ipv6' }).address, port: Number.parseInt(port, 16) }
}
