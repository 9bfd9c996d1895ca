import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readStoreUrl, type StoreAddress } from '../../../config/sentinel/index.ts'

const plain: StoreAddress = { kind: 'single', hosts: [{ host: 'r', port: 6379 }], tls: false, socket: undefined, username: undefined, password: undefined, database: 0, master: undefined }

test('addresses of Redis and Valkey, in every way they are run', () => {
  const cases: ReadonlyArray<readonly [string, Partial<StoreAddress>]> = [
    ['redis://r', {}],
    ['redis://r:7000/3', { hosts: [{ host: 'r', port: 7000 }], database: 3 }],
    ['rediss://user:p%40ss@r', { tls: true, username: 'user', password: 'p@ss' }],
    ['valkey://:100%@r/', { password: '100%' }],
    ['redis://:a@b:c@r', { password: 'a@b:c' }],
    ['redis://[2001:db8::1]:7000', { hosts: [{ host: '2001:db8::1', port: 7000 }] }],
    ['unix:///run/redis.sock', { hosts: [], socket: '/run/redis.sock' }],
    ['redis+sentinel://:pw@a,b:1/main/2', { kind: 'sentinel', hosts: [{ host: 'a', port: 26_379 }, { host: 'b', port: 1 }], password: 'pw', master: 'main', database: 2 }],
    ['rediss+cluster://a, b:1', { kind: 'cluster', tls: true, hosts: [{ host: 'a', port: 6379 }, { host: 'b', port: 1 }] }],
  ]
  for (const [url, wanted] of cases) assert.deepEqual(readStoreUrl(url, 'redis'), { ...plain, ...wanted }, url)
  assert.deepEqual(readStoreUrl('memcache://a,b:1', 'memcached'), { ...plain, kind: 'memcached', hosts: [{ host: 'a', port: 11_211 }, { host: 'b', port: 1 }] })
})

test('what cannot be is told without the password in it', () => {
  for (const [url, store] of [
    ['http://:hunter2@r', 'redis'], ['memcache://a', 'redis'], ['redis://a', 'memcached'], ['redis://:hunter2@', 'redis'], ['redis://:hunter2@r:0', 'redis'], ['redis://:hunter2@r:65536', 'redis'],
    ['redis://:hunter2@a,b', 'redis'], ['redis://r/main', 'redis'], ['redis://r/1/2', 'redis'], ['redis+sentinel://:hunter2@a', 'redis'], ['redis+cluster://a/1', 'redis'], ['redis://r?password=hunter2', 'redis'],
    ['unix://relative', 'redis'], ['memcache://u:hunter2@a', 'memcached'], ['memcache://a/1', 'memcached'], ['', 'redis'], ['constructor://a', 'redis'],
  ] as const) {
    const found = readStoreUrl(url, store)
    assert.ok('wrong' in found, url)
    assert.doesNotMatch(found.wrong, /hunter2/)
  }
})
