import { block } from '../schema/blocks.ts'
import { setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import type { ValueType } from '../schema/value.ts'
import { unfit } from '../schema/value.ts'
import { integer } from '../schema/values.ts'

const spellings: Readonly<Record<string, 1 | 2>> = { '1': 1, '1.1': 1, h1: 1, 'http/1.1': 1, '2': 2, '2.0': 2, h2: 2, 'http/2': 2 }

const version: ValueType<1 | 2> = {
  name: 'HTTP version',
  expected: '1 or 2',
  json: { enum: [1, 2] },
  parse (raw) {
    const found = typeof raw === 'number' || typeof raw === 'string' ? spellings[String(raw).toLowerCase()] : undefined
    return found === undefined ? unfit : { value: found }
  },
}

export const httpVersion = block({
  minVersion: setting(version, 1, 'Oldest HTTP version to speak. 2: HTTP/2 and nothing else, without TLS as well (prior knowledge).'),
  maxVersion: setting(version, 2, 'Newest HTTP version to speak. 2: targets over TLS choose in the handshake; those without TLS are asked in HTTP/1.1 unless `min-version` is 2.'),
  h2PingInterval: setting(durationWithin('0s'), '0s', 'HTTP/2: silence after which the target is asked for a sign of life (PING); 0s = never. Servers of gRPC end connections on which they are asked more often than every five minutes.', {
    bareUnitMs: 1000, aliases: ['h2-ping-interval-secs'], name: 'h2-ping-interval',
  }),
  maxH2Streams: setting(integer(1, 100_000), 100, 'HTTP/2: requests at a time on one connection; a target may allow fewer. More open further connections, up to `connection-pool { max-connections }`.', { name: 'max-h2-streams' }),
}, 'HTTP versions to speak to the targets.', {
  example: 'http-version { min-version 1; max-version 2 }',
  build (value, here) {
    if (value.minVersion > value.maxVersion) {
      here.report.error('CONFIG_CONTRADICTION', `'min-version' of ${here.scope} is newer than 'max-version'`, here.where(here.given('minVersion') ? 'minVersion' : 'maxVersion'))
    }
    return value
  },
})
