import type { ValueType } from '../schema/value.ts'
import { words } from '../schema/values.ts'

type Store = 'local' | 'redis' | 'memcached'

const known = words<Store>(['local', 'redis', 'memcached'], { also: { local: ['memory'], redis: ['distributed'], memcached: ['memcache'] } })

/** Where counts are kept. Every word is read, because some settings belong to words that do not act yet. */
export const rateStore: ValueType<Store> = {
  ...known,
  words: ['local'],
  notBuiltWords: ['redis', 'memcached'],
  parse (raw, context) {
    const found = known.parse(raw, context)
    return 'wrong' in found || found.value === 'local' ? found : { ...found, notBuilt: 'counts are kept in this process instead' }
  },
}
