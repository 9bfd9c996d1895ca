import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createServer, get, type IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { startProxy } from '../support/proxy.ts'

const mebibytes = 6

/** Bytes that differ at every place and for every name: one that stood elsewhere would be seen. */
function contentOf (name: number): Buffer {
  const words = new Uint32Array(mebibytes * 256 * 1024)
  let state = (name + 1) * 2_654_435_761 >>> 0
  for (let i = 0; i < words.length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    words[i] = state
  }
  return Buffer.from(words.buffer)
}

/** Reads an answer with pauses, so that pieces wait in the proxy while others are read into its memory. */
async function digestOf (port: number, name: number, pauseMs: number): Promise<string> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => { get({ port, path: `/${name}`, agent: false }, resolve).on('error', reject) })
  const hash = createHash('sha256')
  let bytes = 0
  for await (const piece of response) {
    hash.update(piece)
    bytes += piece.length
    if (pauseMs > 0 && bytes % (512 * 1024) < piece.length) await delay(pauseMs)
  }
  return hash.digest('hex')
}

for (const framing of ['length', 'chunked'] as const) {
  test(`large answers (${framing}) to readers of every speed arrive byte for byte, however the memory they pass through is shared`, async (t) => {
    const contents = Array.from({ length: 8 }, (_, name) => contentOf(name))
    const wanted = contents.map((content) => createHash('sha256').update(content).digest('hex'))
    const upstream = createServer((request, response) => {
      const content = contents[Number(request.url!.slice(1))]!
      if (framing === 'length') response.setHeader('Content-Length', content.length)
      // Pieces of odd sizes: reads of the proxy end in the middle of chunks, and hold several of them.
      for (let at = 0; at < content.length; at += 77_777) response.write(content.subarray(at, at + 77_777))
      response.end()
    })
    await new Promise<void>((resolve) => { upstream.listen(0, '127.0.0.1', resolve) })
    t.after(() => upstream.close())
    const address = upstream.address()
    assert.ok(address !== null && typeof address === 'object')
    const { port } = await startProxy(t, { targets: [address.port] })
    for (let round = 0; round < 2; round++) {
      const got = await Promise.all(contents.map((_, name) => digestOf(port, name, name % 3)))
      assert.deepEqual(got, wanted)
    }
  })
}
