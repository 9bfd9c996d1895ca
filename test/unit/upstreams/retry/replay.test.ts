import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bodyOf, type Body } from '../../../../proxy/pipeline/body.ts'
import { Fault } from '../../../../proxy/pipeline/faults.ts'
import { HeaderList } from '../../../../proxy/pipeline/headers.ts'
import { Replay, type ReplayRoom } from '../../../../proxy/upstreams/retry/replay.ts'

/** A body whose pieces come when a test says so. */
function slowBody (length?: number) {
  const waiting: Array<{ resolve: (chunk: Buffer | undefined) => void, reject: (error: Error) => void }> = []
  const state = { reads: 0, cancelled: 0 }
  const body: Body = {
    length, trailers: undefined,
    read: () => new Promise((resolve, reject) => { state.reads++; waiting.push({ resolve, reject }) }),
    cancel: () => { state.cancelled++ },
  }
  return { body, state, give: (text: string | undefined) => waiting.shift()!.resolve(text === undefined ? undefined : Buffer.from(text)) }
}

async function rest (body: Body): Promise<string> {
  let text = ''
  for (let chunk = await body.read(); chunk !== undefined; chunk = await body.read()) text += chunk.toString()
  return text
}

const roomOf = (): { room: ReplayRoom, limits: { maxBytes: number, maxBytesOfAll: number, room: ReplayRoom } } => {
  const room = { used: 0 }
  return { room, limits: { maxBytes: 100_000, maxBytesOfAll: 1_000_000, room } }
}

/** Chunks of a body, one after the other, at once. */
const inPieces = (pieces: readonly Buffer[], trailers?: HeaderList): Body => {
  let next = 0
  return { length: undefined, trailers, read: () => pieces[next++], cancel: () => undefined }
}

test('it can be read again from its beginning, as often as needed, with its trailers, and its memory is given back', async () => {
  const { room, limits } = roomOf()
  const pieces = [Buffer.from('abc'), Buffer.alloc(40_000, 'x'), Buffer.from('z')]
  const all = Buffer.concat(pieces).toString()
  const trailers = new HeaderList(['X-Sum', '1'])
  const replay = new Replay(inPieces(pieces, trailers), limits)
  assert.equal(await rest(replay.current), all)
  assert.equal(replay.sent, true)
  for (let i = 0; i < 2; i++) {
    const again = replay.again()
    assert.equal(await rest(again), all)
    assert.equal(again.trailers, trailers)
  }
  assert.ok(room.used >= all.length && room.used < all.length + 3 * 16_384, `${room.used} bytes`)
  replay.settle()
  assert.equal(room.used, 0)
})

test('pieces go on as they come: nothing waits for the copy', async () => {
  const { body, state, give } = slowBody()
  const replay = new Replay(body, roomOf().limits)
  const first = replay.current.read()
  give('a')
  assert.equal(String(await first), 'a')
  assert.equal(state.reads, 1, 'nobody asked for more')
})

test('a small body takes no more memory than it is long', async () => {
  const { room, limits } = roomOf()
  await rest(new Replay(bodyOf(Buffer.alloc(300)), limits).current)
  assert.equal(room.used, 300)
})

test('who takes over in the middle gets what was on its way to the other, and the other gets nothing more', async () => {
  const { body, give, state } = slowBody(3)
  const replay = new Replay(body, roomOf().limits)
  const one = replay.current
  const first = one.read()
  give('a')
  await first
  const late = Promise.resolve(one.read())
  const two = replay.again()
  assert.equal(String(await two.read()), 'a')
  const next = two.read()
  give('b')
  await assert.rejects(late, (error) => error instanceof Fault)
  assert.equal(String(await next), 'b')
  await assert.rejects(Promise.resolve(one.read()))
  const end = two.read()
  give(undefined)
  assert.equal(await end, undefined)
  assert.equal(await rest(replay.again()), 'ab', 'the end is not asked for twice')
  assert.equal(state.reads, 3)
})

test('beyond its limit, or that of all bodies, it flows on and is kept no longer', async () => {
  const { room, limits } = roomOf()
  const pieces = Array.from({ length: 20 }, () => Buffer.alloc(10_000, 'y'))
  const large = new Replay(inPieces(pieces), limits)
  assert.equal((await rest(large.current)).length, 200_000)
  assert.deepEqual([large.whole, room.used], [false, 0])
  const crowded = new Replay(inPieces(pieces.slice(0, 2)), { ...limits, maxBytesOfAll: 15_000 })
  assert.equal((await rest(crowded.current)).length, 20_000)
  assert.deepEqual([crowded.whole, room.used], [false, 0])
})

test('what is over the limit at the moment of taking over is not lost', async () => {
  const { room, limits } = roomOf()
  const { body, give } = slowBody()
  const replay = new Replay(body, { ...limits, maxBytes: 4 })
  const first = replay.current.read()
  give('abc')
  await first
  const late = Promise.resolve(replay.current.read())
  const two = replay.again()
  give('defg')
  await assert.rejects(late)
  assert.equal(String(await two.read()), 'abcdefg')
  assert.equal(replay.whole, false)
  const more = two.read()
  assert.equal(room.used, 0)
  give('hi')
  assert.equal(String(await more), 'hi')
  assert.equal(room.used, 0)
})

test('while another try may follow, giving up one does not stop the client; afterwards it does', async () => {
  const { room, limits } = roomOf()
  const { body, state, give } = slowBody()
  const replay = new Replay(body, limits)
  const first = replay.current.read()
  give('abc')
  await first
  replay.current.cancel()
  assert.equal(state.cancelled, 0)
  const two = replay.again()
  assert.equal(String(await two.read()), 'abc')
  two.cancel()
  replay.settle()
  assert.deepEqual([state.cancelled, room.used], [1, 0])
})

test('an answer that begins before all of it was said again takes nothing away from the rest', async () => {
  const { room, limits } = roomOf()
  const pieces = [Buffer.from('abc'), Buffer.from('def')]
  const replay = new Replay(inPieces(pieces), limits)
  await rest(replay.current)
  const two = replay.again()
  replay.settle()
  assert.equal(await rest(two), 'abcdef')
  assert.equal(room.used, 0)
})
