import { block } from '../schema/blocks.ts'
import { optional, setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import { bool, integer, oneOf, path, textLike } from '../schema/values.ts'
import { someBytes } from './route-types.ts'

/** What old files put into a block of `backend`. */
const ofBackend: ReadonlySet<string> = new Set([
  'max-size', 'max-size-bytes', 'max-size-mb', 'eviction-limit', 'path', 'disk-path', 'disk-shards', 'disk-max-size', 'disk-max-size-bytes', 'disk-max-size-mb',
])

export const cache = block({
  enabled: setting(bool, true, 'Whether routes may keep answers at all.'),
  backend: setting(oneOf('memory', 'disk', 'hybrid'), 'memory', 'Where answers are kept; hybrid = on disk, and what is asked for often in memory.'),
  maxSize: setting(someBytes, '100MiB', 'Memory for answers, of each process; those not asked for the longest go first. As much again may be used while answers arrive, and a larger one is not kept.', { aliases: ['max-size-bytes', 'max-size-mb'] }),
  evictionLimit: optional(someBytes, 'How much may be kept until old answers go; `max-size` without it.', { aliases: ['eviction-limit-bytes'] }),
  lockTimeout: setting(durationWithin('1ms'), '10s', 'How long a request waits for another that fetches the same.', { aliases: ['lock-timeout-secs', 'lock-timeout-ms'], bareUnitMs: 1000 }),
  diskPath: optional(path, 'Folder for answers; made when it is not there. Several processes may have one. What is in it outlives them.'),
  diskShards: setting(integer(1, 4096), 16, 'Folders that answers are spread over.'),
  diskMaxSize: setting(someBytes, '1GiB', 'Room on disk; those not asked for the longest go first.', { aliases: ['disk-max-size-bytes', 'disk-max-size-mb'] }),
  statusHeader: setting(bool, false, 'Say in `Cache-Status` where an answer comes from (RFC 9211).'),
  statusHeaderName: setting(textLike('a name of letters, digits and -_.', /^[A-Za-z*][\w.*-]*$/, '"edge"'), 'sentinel', 'What this cache is called there.'),
}, 'Where the answers of all routes are kept. What is kept is said by each route.', {
  older: {
    backend: {
      doc: 'its settings stand beside it',
      when: ({ children }) => children?.every(({ name }) => ofBackend.has(name)) === true,
      into: ({ children = [], ...node }) => [{ ...node, children: undefined }, ...children.map(child => child.name === 'path' ? { ...child, name: 'disk-path' } : child)],
    },
  },
  example: `cache {
    backend "disk"
    disk-path "/var/cache/sentinel"
    disk-max-size "10GiB"
    max-size "200MiB"
    status-header #true
}`,
  build (value, here) {
    const onDisk = value.backend !== 'memory'
    if (onDisk && !here.given('diskPath')) here.report.error('CONFIG_MISSING', `${here.scope} with backend '${value.backend}' needs 'disk-path'`, here.where('backend'), 'write the folder that answers are kept in')
    for (const name of ['diskPath', 'diskShards', 'diskMaxSize'] as const) {
      if (onDisk || !here.given(name) || !here.clean) continue
      here.report.warning('CONFIG_NO_EFFECT', `'${spelled[name]}' of ${here.scope} says nothing: answers are kept in memory`, here.where(name), 'write backend "disk" or "hybrid"')
    }
    return value
  },
})

const spelled = { diskPath: 'disk-path', diskShards: 'disk-shards', diskMaxSize: 'disk-max-size' } as const
