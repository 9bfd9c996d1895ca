import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Places } from '../../../proxy/websocket/places.ts'

const full = { name: 'Fault', code: 'CLIENT_TUNNELS_FULL' }

test('whoever has one IPv6 address has its /64, and one share of the tunnels', () => {
  const places = new Places()
  const limits = { maxConnections: 10, maxConnectionsPerIp: 2 }
  const first = places.take('2001:db8:1:2::1', limits)
  void places.take('2001:db8:1:2::2', limits)
  assert.throws(() => places.take('2001:db8:1:2:ffff::3', limits), full)
  void places.take('2001:db8:1:3::1', limits)
  assert.ok(!(first instanceof Promise))
  first.giveBack()
  void places.take('2001:db8:1:2::4', limits)
  assert.equal(places.taken, 3)
})

test('IPv4 addresses have a share each', () => {
  const places = new Places()
  const limits = { maxConnections: 10, maxConnectionsPerIp: 1 }
  void places.take('192.0.2.1', limits)
  void places.take('192.0.2.2', limits)
  assert.throws(() => places.take('192.0.2.1', limits), full)
})
