// Random messages, in random fragments, with random verdicts, compressed in every way that two sides may agree on: each end reads what it should.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PerMessageDeflateOptions, WebSocket } from 'ws'
import type { Filter, MessageJudge } from '../../proxy/pipeline/exchange.ts'
import { Places, webSocketFilter } from '../../proxy/websocket/index.ts'
import { inspection } from '../../proxy/websocket/inspect/index.ts'
import { pick, randomFrom, type Random } from '../support/chance.ts'
import { eventually } from '../support/eventually.ts'
import { openEnds } from '../support/inspected.ts'
import { startProxy } from '../support/proxy.ts'
import { webSocketServer } from '../support/websocket.ts'

/** Says of a message what it begins with, sooner or later. */
const judge: MessageJudge = {
  wanted: true,
  async judge ({ data, binary }) {
    const word = data.toString('latin1', 0, 1)
    if (word === 'l') await new Promise(setImmediate)
    if (word === 'd') return { kind: 'drop' }
    if (word === 'r') return { kind: 'replace', binary, data: Buffer.concat([Buffer.from('R'), data.subarray(1), data]) }
    return { kind: 'pass' }
  },
}

const judging: Filter = { name: 'judge', onRequest (x) { x.upgrade?.judges?.push(judge); return undefined } }

function expectedOf (text: string): string[] {
  return text.startsWith('d') ? [] : [text.startsWith('r') ? `R${text.slice(1)}${text}` : text]
}

function textFrom (random: Random): string {
  const length = [random(10), random(200), random(3_000), random(70_000)][random(4)]!
  return pick(['p', 'l', 'd', 'r'], random) + 'the quick brown fox '.repeat(length / 20 + 1).slice(0, length) + String(random(1_000_000))
}

async function sayAll (socket: WebSocket, texts: readonly string[], random: Random): Promise<void> {
  for (const text of texts) {
    const cut = random(3) === 0 ? random(text.length) : 0
    const compress = random(4) > 0
    if (cut > 0) {
      socket.send(text.slice(0, cut), { fin: false, compress })
      if (random(2) === 0) socket.ping()
      socket.send(text.slice(cut), { fin: true, compress })
    } else {
      socket.send(text, { compress })
    }
    if (random(5) === 0) await new Promise(setImmediate)
  }
}

const ways: Readonly<Record<string, boolean | PerMessageDeflateOptions>> = {
  'no compression': false,
  'compression': { threshold: 0 },
  'compression of each message by itself': { threshold: 0, serverNoContextTakeover: true, clientNoContextTakeover: true },
  'compression with small windows': { threshold: 0, serverMaxWindowBits: 9, clientMaxWindowBits: 10 },
  'compression of one side by itself': { threshold: 0, clientNoContextTakeover: true },
}

for (const [way, perMessageDeflate] of Object.entries(ways)) {
  test(`with ${way}`, async (t) => {
    const { server, port } = await webSocketServer(t, { perMessageDeflate })
    const watch = { idleMs: 60_000, pingIntervalMs: 20, pingTimeoutMs: 30_000, maxMessageBytes: 1024 * 1024, maxConnections: Infinity, maxConnectionsPerIp: Infinity, inspection }
    const proxy = await startProxy(t, { targets: [port], upgrades: true, filters: [webSocketFilter(watch, new Places()), judging] })
    const random = randomFrom(20_240 + way.length)
    for (let round = 0; round < 3; round++) {
      const ends = await openEnds(t, server, proxy.port, { perMessageDeflate: perMessageDeflate === false ? false : { threshold: 0 } })
      assert.equal(ends.client.extensions, perMessageDeflate === false ? '' : 'permessage-deflate')
      const [up, down] = [Array.from({ length: 120 }, () => textFrom(random)), Array.from({ length: 120 }, () => textFrom(random))]
      await Promise.all([sayAll(ends.client, [...up, 'pend'], random), sayAll(ends.there, [...down, 'pend'], random)])
      await eventually('all arrive', () => ends.thereGot.at(-1) === 'pend' && ends.clientGot.at(-1) === 'pend')
      assert.deepEqual([ends.thereGot.slice(0, -1), ends.clientGot.slice(0, -1)], [up.flatMap(expectedOf), down.flatMap(expectedOf)])
      ends.client.close(1000)
      assert.deepEqual(await Promise.all([ends.clientClosed, ends.thereClosed]), ['1000', '1000'])
    }
  })
}
