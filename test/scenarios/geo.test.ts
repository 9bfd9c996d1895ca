// `filter { type "geo" }` and `policies { geo-access-control }`: the country of a client.
import assert from 'node:assert/strict'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { ip2LocationFile, maxMindFile, type Places } from '../support/geo-database.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { startSentinel } from '../support/sentinel.ts'

const places: Places = { '192.0.2.0/24': 'DE', '198.51.100.0/24': 'FR', '203.0.113.128/25': 'US', '2001:db8:1::/48': 'NL' }

const forms = {
  mmdb: { name: 'country.mmdb', make: maxMindFile },
  bin: { name: 'COUNTRY.BIN', make: ip2LocationFile },
} as const

async function start (t: TestContext, form: keyof typeof forms, settings: string, policy = '') {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-geo-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const { name, make } = forms[form]
  const database = join(folder, name)
  const old = Object.fromEntries(Object.entries(places).filter(([network]) => form === 'mmdb' || !network.includes(':')))
  writeFileSync(database, make(old))
  const app = await startRecordingUpstream(t)
  const kdl = `listeners { listener "web" { address "127.0.0.1:0"; trusted-proxies "127.0.0.1" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app"; ${policy === '' ? 'filters "where"' : `policies { geo-access-control { database "${database}"; ${policy} } }`} } }
upstreams { upstream "app" { target "127.0.0.1:${app.port}" } }
${policy === '' ? `filters { filter "where" { type "geo"; database-path "${database}"; ${settings} } }` : ''}
observability { metrics { enabled #false } }
`
  const sentinel = await startSentinel(t, kdl)
  const from = (address: string, headers: Record<string, string> = {}) => sentinel.get('/', { headers: { 'X-Forwarded-For': address, ...headers } })
  const statuses = async (...addresses: string[]): Promise<number[]> => Promise.all(addresses.map(async (address) => (await from(address)).status))
  return { sentinel, app, from, statuses, kdl, database, make }
}

for (const form of ['mmdb', 'bin'] as const) {
  test(`countries that are listed stay out (${form})`, async (t) => {
    const { statuses, from, app } = await start(t, form, 'countries "DE" "US"')
    assert.deepEqual(await statuses('192.0.2.0', '192.0.2.255', '203.0.113.128', '203.0.113.255'), [403, 403, 403, 403])
    assert.deepEqual(await statuses('192.0.1.255', '192.0.3.0', '203.0.113.127', '198.51.100.7'), [200, 200, 200, 200])
    assert.equal((await from('198.51.100.8')).status, 200)
    assert.equal(app.requests.at(-1)!.headers['x-geoip-country'], 'FR')
  })

  test(`only countries that are listed come in (${form}), and with on-failure "closed" nobody whose country is unknown`, async (t) => {
    const { statuses } = await start(t, form, 'action "allow"; countries "FR"; on-failure "closed"')
    assert.deepEqual(await statuses('198.51.100.7', '192.0.2.1', '8.8.8.8', '10.0.0.1'), [200, 403, 403, 403])
  })
}

test('addresses of IPv6 have countries too', async (t) => {
  const { statuses } = await start(t, 'mmdb', 'countries "NL" "DE"')
  assert.deepEqual(await statuses('2001:db8:1::5', '2001:db8:2::5'), [403, 200])
  assert.deepEqual(await statuses('::ffff:192.0.2.1', '::ffff:c000:201', '0:0:0:0:0:ffff:192.0.2.1'), [403, 403, 403], 'an IPv4 address is the same in other clothes')
})

test('a refusal has the status and the text that were written', async (t) => {
  const { from } = await start(t, 'mmdb', 'countries "DE"; status-code 451; block-message "not here"')
  const answer = await from('192.0.2.1')
  assert.deepEqual([answer.status, answer.text], [451, 'not here'])
})

test('log-only refuses nobody and says so in the log', async (t) => {
  const { from, sentinel } = await start(t, 'mmdb', 'action "log-only"; countries "DE"; on-failure "closed"')
  assert.equal((await from('192.0.2.1')).status, 200)
  assert.equal((await from('8.8.8.8')).status, 200)
  const record = await sentinel.logged(({ event }) => event === 'geo-listed')
  assert.deepEqual([record['country'], record['client_ip']], ['DE', '192.0.2.1'])
})

test('a client cannot say where it is', async (t) => {
  const { from, app } = await start(t, 'mmdb', '')
  await from('192.0.2.1', { 'X-GeoIP-Country': 'FR', 'X_GeoIP_Country': 'FR' })
  await from('8.8.8.8', { 'X-GeoIP-Country': 'FR' })
  assert.equal(app.requests[0]!.headers['x-geoip-country'], 'DE')
  assert.equal(app.requests[0]!.headers['x_geoip_country'], undefined)
  assert.equal(app.requests[1]!.headers['x-geoip-country'], undefined)
})

test('add-country-header #false tells the upstream nothing', async (t) => {
  const { from, app } = await start(t, 'mmdb', 'add-country-header #false')
  await from('192.0.2.1')
  assert.equal(app.requests[0]!.headers['x-geoip-country'], undefined)
})

test('a file that was replaced counts from the next reload; one that is damaged refuses it', async (t) => {
  const { statuses, sentinel, kdl, database, make } = await start(t, 'mmdb', 'countries "DE"')
  assert.deepEqual(await statuses('192.0.2.1', '198.51.100.1'), [403, 200])
  writeFileSync(`${database}.new`, make({ '198.51.100.0/24': 'DE' }))
  renameSync(`${database}.new`, database)
  assert.equal((await sentinel.reload(kdl)).event, 'reloaded')
  assert.deepEqual(await statuses('192.0.2.1', '198.51.100.1'), [200, 403])
  writeFileSync(database, Buffer.concat([Buffer.alloc(100, 0xff), Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1'), Buffer.alloc(50, 0xff)]))
  assert.equal((await sentinel.reload(kdl)).event, 'reload-failed')
  assert.deepEqual(await statuses('192.0.2.1', '198.51.100.1'), [200, 403])
})

test('the policy of a route lets in those of its list, or keeps them out', async (t) => {
  const allowing = await start(t, 'mmdb', '', 'allow-countries "FR"')
  assert.deepEqual(await allowing.statuses('198.51.100.7', '192.0.2.1', '8.8.8.8'), [200, 403, 403])
  const { fault } = await allowing.sentinel.accessed(({ status }) => status === 403)
  assert.equal(fault, 'COUNTRY_REFUSED')
  const blocking = await start(t, 'mmdb', '', 'block-countries "FR"')
  assert.deepEqual(await blocking.statuses('198.51.100.7', '192.0.2.1', '8.8.8.8'), [403, 200, 200])
})
