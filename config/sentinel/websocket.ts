import { optionalBlock } from '../schema/blocks.ts'
import { optional, setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import { bool } from '../schema/values.ts'
import { flag } from './flag.ts'
import { many, someBytes } from './route-types.ts'

const wait = durationWithin('1ms')

export const websocket = optionalBlock({
  enabled: setting(bool, true, 'Whether upgrades are allowed.'),
  pingInterval: optional(wait, 'How often each side is asked whether it is still there.', { aliases: ['ping-interval-secs', 'ping-interval-ms'] }),
  pingTimeout: setting(wait, '10s', 'How long it may take to answer; whoever does not is closed, and the other side with it.', { aliases: ['ping-timeout-secs', 'ping-timeout-ms'] }),
  idleTimeout: setting(wait, '10m', 'How long a connection may be silent in both directions.', { aliases: ['idle-timeout-secs'] }),
  inspection: flag('Show agents every message: see `websocket-inspection` of the route.'),
  maxMessageSize: optional(someBytes, 'Longest message, as it passes: compressed where the two sides compress. Who sends a longer one is closed with 1009. Where agents are shown messages it counts unpacked, too, and is 1MiB unless it is written.', { aliases: ['max-message-size-bytes', 'max-message-bytes'] }),
  maxConnections: optional(many, 'Connections at a time; more get 503.'),
  maxConnectionsPerIp: optional(many, 'Connections of one client address at a time; more get 429. An IPv6 client is its /64.'),
}, 'Allow upgrades to WebSocket; without it they get 403.', {
  args: ['enabled'],
  example: `websocket {
    ping-interval "30s"
    ping-timeout "10s"
    max-message-size "64KiB"
    max-connections-per-ip 10
}`,
  build (value, here) {
    const { pingInterval, idleTimeout } = value
    if (here.given('pingTimeout') && pingInterval === undefined && !here.given('pingInterval')) {
      here.report.warning('CONFIG_NO_EFFECT', `'ping-timeout' of ${here.scope} says nothing without 'ping-interval'`, here.where('pingTimeout'))
    }
    if (pingInterval !== undefined && idleTimeout < pingInterval) {
      const where = here.where(here.given('idleTimeout') ? 'idleTimeout' : 'pingInterval')
      here.report.error('CONFIG_CONTRADICTION', `'idle-timeout' of ${here.scope} is shorter than 'ping-interval': every quiet connection would end before it is asked`, where)
    }
    return value
  },
})
