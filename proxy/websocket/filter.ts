import type { Exchange, Filter } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'
import { webSocketVersion } from './handshake.ts'
import type { PlaceLimits, Places, TunnelPlace } from './places.ts'
import { Watch, type FramesPassed, type WatchSettings } from './watch.ts'

export interface WebSocketSettings extends WatchSettings, PlaceLimits {}

interface Open {
  readonly place: TunnelPlace
  readonly watch: Watch
}

/** The first step of a route with WebSockets: who may have one, and what may pass. Ordinary requests pass it untouched. */
export function webSocketFilter (settings: WebSocketSettings, places: Places, passed?: FramesPassed): Filter {
  const open = new Map<Exchange, Open>()
  return {
    name: 'websocket',
    tunnelsOnly: true,
    onRequest (x) {
      if (x.upgrade === undefined) return undefined
      const version = x.request.headers.get('sec-websocket-version')
      if (version !== webSocketVersion) throw new Fault('WEBSOCKET_VERSION', `version ${JSON.stringify(version?.slice(0, 40) ?? '')}`)
      const { upgrade } = x
      const enter = (place: TunnelPlace): undefined => { open.set(x, { place, watch: new Watch(x, upgrade, settings) }) }
      const place = places.take(x.clientIp, settings)
      return place instanceof Promise ? place.then(enter) : enter(place)
    },
    onResponse (x, reply) {
      if (reply.status === 101 && reply.body !== undefined) reply.body = open.get(x)?.watch.begin(reply.body, reply.headers.has('sec-websocket-extensions')) ?? reply.body
      return undefined
    },
    onDone (x) {
      const own = open.get(x)
      if (own === undefined) return
      open.delete(x)
      own.watch.stop()
      if (passed !== undefined) own.watch.tell(passed)
      own.place.giveBack()
    },
  }
}
