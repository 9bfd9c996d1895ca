import { closeSync } from 'node:fs'
import { SocketAddress, isIPv6 } from 'node:net'
import type { ListenerConfig, SentinelConfig } from '../../config/sentinel/index.ts'
import type { Log } from '../observe/log.ts'
import { boundAddress, type GivenSocket } from '../service/index.ts'
import { socketKey } from './listener-settings.ts'

/** Which listener gets which of the sockets that a service manager opened: the one of that name, or else of that address. What is for none is closed. */
export function givenToListeners ({ listeners }: Pick<SentinelConfig, 'listeners'>, given: readonly GivenSocket[], log: Log): Map<string, number> {
  const found = new Map<string, number>()
  for (const { fd, name } of given) {
    const free = listeners.filter((listener) => !found.has(socketKey(listener)))
    const listener = free.find(({ id }) => id === name) ?? free.find((one) => isAt(one, fd))
    if (listener === undefined) {
      log.warn(`a socket of the service manager${name === '' ? '' : ` ('${name}')`} is for no listener: it is closed`, { event: 'socket-unused', fd, name })
      closeSync(fd)
      continue
    }
    found.set(socketKey(listener), fd)
    log.info(`listener '${listener.id}' takes the socket that the service manager opened`, { event: 'socket-given', listener: listener.id, fd })
  }
  return found
}

function isAt ({ address: { host, port, path } }: ListenerConfig, fd: number): boolean {
  const at = boundAddress(fd)
  if (at === undefined) return false
  if (path !== undefined || at.path !== undefined) return at.path === path
  // One socket of systemd's serves both families when only a port is written.
  return at.port === port && (at.host === plain(host) || at.host === '::' && host === '0.0.0.0')
}

function plain (host: string): string {
  return isIPv6(host) ? new SocketAddress({ address: host, family: 'ipv6' }).address : host
}
