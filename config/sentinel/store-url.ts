/** Where a store of counts is, as its `url` says. */
export interface StoreAddress {
  /** How its servers work together: `sentinel` and `cluster` are ways of Redis; several of memcached each keep a part of the keys. */
  readonly kind: 'single' | 'sentinel' | 'cluster' | 'memcached'
  readonly hosts: readonly StoreHost[]
  readonly tls: boolean
  /** Of a Unix socket, in place of hosts. */
  readonly socket: string | undefined
  readonly username: string | undefined
  readonly password: string | undefined
  readonly database: number
  /** Of the master that sentinels watch. */
  readonly master: string | undefined
}

export interface StoreHost {
  readonly host: string
  readonly port: number
}

interface Scheme {
  readonly kind: StoreAddress['kind']
  readonly tls: boolean
  readonly port: number
}

const single = { kind: 'single', port: 6379 } as const
const sentinel = { kind: 'sentinel', port: 26_379 } as const
const cluster = { kind: 'cluster', port: 6379 } as const
const memcached = { kind: 'memcached', port: 11_211, tls: false } as const

const schemes: Readonly<Record<string, Scheme>> = {
  redis: { ...single, tls: false }, rediss: { ...single, tls: true }, valkey: { ...single, tls: false }, valkeys: { ...single, tls: true },
  'redis+sentinel': { ...sentinel, tls: false }, 'redis-sentinel': { ...sentinel, tls: false }, 'rediss+sentinel': { ...sentinel, tls: true },
  'redis+cluster': { ...cluster, tls: false }, 'redis-cluster': { ...cluster, tls: false }, 'rediss+cluster': { ...cluster, tls: true },
  memcache: memcached, memcached,
}

const beginnings = {
  redis: 'redis://, rediss://, redis+sentinel://, redis+cluster:// or unix:///',
  memcached: 'memcache://',
} as const

/** @returns What is wrong with it, in words that do not repeat it: there may be a password in it. */
export function readStoreUrl (url: string, store: 'redis' | 'memcached'): StoreAddress | { readonly wrong: string } {
  const [, scheme = '', rest = ''] = /^([a-z+-]+):\/\/(.*)$/is.exec(url) ?? []
  if (store === 'redis' && scheme === 'unix') return onSocket(rest)
  const found = Object.hasOwn(schemes, scheme.toLowerCase()) ? schemes[scheme.toLowerCase()] : undefined
  if (found === undefined || (found.kind === 'memcached') !== (store === 'memcached')) return { wrong: `does not begin with ${beginnings[store]}` }
  const [, user, hosts = '', path = '', query] = /^(?:(.*)@)?([^/?#@]+)(\/[^?#]*)?([?#].*)?$/s.exec(rest) ?? []
  if (query !== undefined) return { wrong: 'has something behind "?" or "#", which has no meaning here' }
  const list = hosts.split(',').map((host) => readHost(host.trim(), found.port))
  if (user !== undefined && store === 'memcached') return { wrong: 'names a user, which memcached does not know' }
  if (hosts === '' || !list.every((host) => host !== undefined)) return { wrong: 'names a host or a port that cannot be' }
  return withPath({ kind: found.kind, tls: found.tls, hosts: list, socket: undefined, ...readUser(user), database: 0, master: undefined }, path)
}

function withPath (address: StoreAddress, path: string): ReturnType<typeof readStoreUrl> {
  const parts = path.split('/').filter((part) => part !== '')
  if (address.kind === 'single' && address.hosts.length > 1) return { wrong: 'names several hosts: write redis+cluster:// or redis+sentinel://' }
  const [master, ...others] = address.kind === 'sentinel' ? parts : [undefined, ...parts]
  if (address.kind === 'sentinel' && master === undefined) return { wrong: 'does not name the master, as in redis+sentinel://host:26379/mymaster' }
  const [database = '0', ...more] = others
  const takesDatabase = address.kind === 'single' || address.kind === 'sentinel'
  if (more.length > 0 || !/^\d{1,5}$/.test(database) || !takesDatabase && others.length > 0) return { wrong: takesDatabase ? 'has no number of a database behind the host' : 'has a path, which has no meaning here' }
  return { ...address, database: Number(database), master }
}

function onSocket (path: string): ReturnType<typeof readStoreUrl> {
  const [, user, file] = /^(?:(.*)@)?(\/[^?#]+)$/s.exec(path) ?? []
  if (file === undefined) return { wrong: 'has no absolute path of a socket, as in unix:///run/redis.sock' }
  return { kind: 'single', hosts: [], tls: false, socket: file, ...readUser(user), database: 0, master: undefined }
}

function readUser (user: string | undefined): Pick<StoreAddress, 'username' | 'password'> {
  if (user === undefined) return { username: undefined, password: undefined }
  const colon = user.indexOf(':')
  const text = (part: string): string | undefined => part === '' ? undefined : decoded(part)
  return colon === -1 ? { username: text(user), password: undefined } : { username: text(user.slice(0, colon)), password: text(user.slice(colon + 1)) }
}

/** A "%" of a password that nobody encoded stays one. */
function decoded (text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function readHost (text: string, standardPort: number): StoreHost | undefined {
  const [, six, name = six, port] = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/.exec(text) ?? []
  const number = port === undefined ? standardPort : Number(port)
  return name === undefined || number < 1 || number > 65_535 ? undefined : { host: name, port: number }
}
