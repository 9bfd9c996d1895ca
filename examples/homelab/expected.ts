import assert from 'node:assert/strict'
import type { Applications, Expectation, Feature } from '../expectation.ts'

export const applications: Applications = { jellyfin: 8096, nextcloud: 8081, homeassistant: 8123, grafana: 3000 }

const hosts = { jellyfin: 'jellyfin.home.lan', nextcloud: 'cloud.home.lan', homeassistant: 'ha.home.lan', grafana: 'grafana.home.lan' }

export const expected: readonly Expectation[] = [
  { path: '/', headers: { host: 'printer.home.lan' }, status: 404 },
  { path: '/library', headers: { host: 'jellyfin.home.lan' }, status: 200, answerHeaders: { 'x-application': 'jellyfin' } },
  { path: '/remote.php/dav/film.mkv', method: 'PUT', headers: { host: 'cloud.home.lan' }, body: 'x'.repeat(11 * 1024 * 1024), status: 200 },
]

export const features: readonly Feature[] = [
  {
    promise: 'each service is found by its name, over TLS',
    async holds ({ get }) {
      for (const [name, host] of Object.entries(hosts)) assert.equal((await get('/', host)).headers['x-application'], name)
    },
  },
  {
    promise: 'WebSockets go through to the services that have them, and to no other',
    async holds ({ say }) {
      for (const name of ['jellyfin', 'homeassistant', 'grafana'] as const) assert.equal(await say(hosts[name], 'hello'), `${name}: hello`)
      await assert.rejects(say(hosts.nextcloud, 'hello'), /403/)
    },
  },
  {
    promise: 'a service that is off takes no other with it',
    async holds ({ get, kill }) {
      await kill('grafana')
      assert.equal((await get('/', hosts.grafana)).status, 502)
      assert.equal((await get('/', hosts.homeassistant)).status, 200)
    },
  },
]
