import type { Exchange, Filter } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'
import { webSocketVersion } from './handshake.ts'
import type { PlaceLimits, Places, TunnelPlace } from './places.ts'
import { Watch, type Told, type WatchSettings } from './watch.ts'

export interface WebSocketSettings extends WatchSettings, PlaceLimits {}

interface Open {
  readonly place: TunnelPlace
  readonly watch: Watch
}

/** The first step of a route with WebSockets: who may have one, and what may pass. Ordinary requests pass it untouched. */
export function webSocketFilter (settings: WebSocketSettings, places: Places, { passed, judged }: Told = {}): Filter {
  const { inspection } = settings
  const open = new WeakMap<Exchange, Open>()
  return {
    name: 'websocket',
    tunnelsOnly: true,
    onRequest (x) {
      if (x.upgrade === undefined) return undefined
      const version = x.request.headers.get('sec-websocket-version')
      if (version !== webSocketVersion) throw new Fault('WEBSOCKET_VERSION', `version ${JSON.stringify(version?.slice(0, 40) ?? '')}`)
      const { upgrade } = x
      if (inspection !== undefined) {
        inspection.keepReadableOffers(x.request.headers)
        upgrade.judges = []
      }
      const enter = (place: TunnelPlace): undefined => { open.set(x, { place, watch: new Watch(x, upgrade, settings, judged) }) }
      const place = places.take(x.clientIp, settings)
      return place instanceof Promise ? place.then(enter) : enter(place)
    },
    onResponse (x, reply) {
      const own = open.get(x)
      if (own === undefined || reply.status !== 101 || reply.body === undefined) return undefined
      // Without anybody who judges them, messages need not be understood.
      const packing = x.upgrade?.judges?.length ? inspection?.agreedPacking(reply.headers) : undefined
      reply.body = own.watch.begin(reply.body, { extended: reply.headers.has('sec-websocket-extensions'), packing })
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
