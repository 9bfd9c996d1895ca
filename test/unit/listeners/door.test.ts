import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Door } from '../../../proxy/listeners/door.ts'
import { clientKey } from '../../../proxy/pipeline/client-key.ts'

function entered (door: Door, client: string | undefined): { leave (): void } {
  const place = door.enter(client)
  assert.ok(typeof place !== 'string' && !(place instanceof Promise), `refused: ${String(place)}`)
  return place
}

test('a client is its IPv4 address, or its /64', () => {
  assert.equal(clientKey('2001:db8:1:2::7'), clientKey('2001:db8:1:2:ffff::'))
  assert.notEqual(clientKey('2001:db8:1:2::7'), clientKey('2001:db8:1:3::7'))
  assert.equal(clientKey('::ffff:192.0.2.7'), clientKey('192.0.2.7'))
  assert.notEqual(clientKey('192.0.2.7'), clientKey('192.0.2.8'))
})

test('there is a place for each up to the limit, and again when one left', () => {
  const door = new Door({ maxConnections: Infinity, maxConnectionsPerClient: 2 })
  const first = entered(door, '2001:db8::1')
  entered(door, '2001:db8::2')
  assert.equal(door.enter('2001:db8::3'), 'client')
  entered(door, '192.0.2.1')
  first.leave()
  entered(door, '2001:db8::3')
  assert.equal(door.enter('2001:db8::3'), 'client')
})

test('who speaks for many takes no client\'s share, but one of all', () => {
  const door = new Door({ maxConnections: 3, maxConnectionsPerClient: 1 })
  const places = [undefined, undefined, '192.0.2.1'].map((client) => entered(door, client))
  assert.equal(door.enter(undefined), 'total')
  assert.equal(door.enter('192.0.2.2'), 'total')
  places[0]!.leave()
  assert.equal(door.enter('192.0.2.1'), 'client')
  entered(door, '192.0.2.2')
})

test('limits that change count for the next one; who is in is counted right', () => {
  const door = new Door({ maxConnections: Infinity, maxConnectionsPerClient: Infinity })
  const places = Array.from({ length: 5 }, () => entered(door, '192.0.2.1'))
  door.limits = { maxConnections: Infinity, maxConnectionsPerClient: 3 }
  assert.equal(door.enter('192.0.2.1'), 'client')
  for (const place of places.splice(0, 3)) place.leave()
  places.push(entered(door, '192.0.2.1'))
  assert.equal(door.enter('192.0.2.1'), 'client')
  for (const place of places) place.leave()
  entered(door, '192.0.2.1')
})
