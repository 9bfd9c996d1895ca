// A body that several read while it is gathered.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Arrival, ArrivalRoom } from '../../../proxy/cache/arrival.ts'
import { gather, type Body } from '../../../proxy/pipeline/body.ts'
import { Fault } from '../../../proxy/pipeline/faults.ts'

interface Given {
  readonly pieces: readonly string[]
  readonly length?: number
  readonly fails?: boolean
  readonly maxBytes?: number
  readonly room?: number
  /** How long one reader may hold up another. */
  readonly patienceMs?: number
}

function arriving ({ pieces, length, fails = false, maxBytes = 1000, room = 10_000, patienceMs = 60_000 }: Given) {
  let next = 0
  let cancelled = false
  const read = (): number => next
  const body: Body = {
    length, trailers: undefined,
    async read () {
      await Promise.resolve()
      if (next < pieces.length) return Buffer.from(pieces[next++]!)
      if (fails) throw new Fault('UPSTREAM_RESET')
      return undefined
    },
    cancel () { cancelled = true },
  }
  const places = new ArrivalRoom(room)
  let whole: string | undefined
  let ended = (): void => {}
  const over = new Promise<void>((resolve) => { ended = resolve })
  const arrival = new Arrival({ body, maxBytes, room: places, patienceMs, complete: (bytes) => { whole = bytes.toString() }, over: () => ended() })
  return { arrival, places, over, read, whole: () => whole, cancelled: () => cancelled }
}

const textOf = async (body: Body): Promise<string> => Buffer.concat([...(await gather(body, Infinity)).chunks]).toString()

test('all of it is gathered though nobody reads, and each reader gets all of it', async () => {
  const { arrival, over, whole, places } = arriving({ pieces: ['one ', 'two ', 'three'] })
  const early = arrival.reader()!
  await over
  assert.equal(whole(), 'one two three')
  assert.deepEqual([await textOf(early), await textOf(arrival.reader()!)], ['one two three', 'one two three'])
  assert.equal(places.used, 0)
})

for (const [why, given] of [['it is too large', { maxBytes: 6 }], ['there is no room', { room: 5 }], ['it says that it is too large', { maxBytes: 6, length: 13 }]] as const) {
  test(`when ${why} nothing is kept, readers get all of it, and it waits for the slowest`, async () => {
    const { arrival, whole, read, over, places } = arriving({ pieces: ['one ', 'two ', 'three'], ...given })
    const readers = [arrival.reader()!, arrival.reader()!]
    const first = textOf(readers[0]!)
    await new Promise((go) => { setTimeout(go, 10) })
    assert.ok(read() < 3)
    assert.deepEqual([await textOf(readers[1]!), await first], ['one two three', 'one two three'])
    await over
    assert.deepEqual([whole(), places.used], [undefined, 0])
  })
}

test('one reader that stands still is cut off where it holds up another', async () => {
  const { arrival } = arriving({ pieces: ['one ', 'two ', 'three'], maxBytes: 6, patienceMs: 50 })
  const still = arrival.reader()!
  assert.equal(await textOf(arrival.reader()!), 'one two three')
  await assert.rejects(async () => { await textOf(still) }, { code: 'CLIENT_TIMEOUT' })
})

test('what breaks off is not kept, and its readers hear of it after what had come', async () => {
  const { arrival, over, whole } = arriving({ pieces: ['one '], fails: true })
  const reader = arrival.reader()!
  await over
  assert.equal((await reader.read())?.toString(), 'one ')
  await assert.rejects(async () => { await reader.read() }, { code: 'UPSTREAM_RESET' })
  assert.deepEqual([whole(), arrival.reader()], [undefined, undefined])
})

test('readers that leave do not end what is gathered; where nothing is, they do', async () => {
  const kept = arriving({ pieces: ['one ', 'two'] })
  kept.arrival.reader()!.cancel()
  await kept.over
  assert.equal(kept.whole(), 'one two')
  const passed = arriving({ pieces: ['one ', 'two ', 'three'], maxBytes: 6 })
  const reader = passed.arrival.reader()!
  await reader.read()
  await new Promise((go) => { setTimeout(go, 10) })
  reader.cancel()
  await passed.over
  assert.deepEqual([passed.cancelled(), passed.whole(), passed.places.used], [true, undefined, 0])
})

test('memory for all that arrive is bounded', () => {
  const room = new ArrivalRoom(100)
  assert.deepEqual([room.take(60), room.take(60), room.take(40), room.used], [true, false, true, 100])
})
