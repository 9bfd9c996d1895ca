import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ledger, type Borrower } from '../../../proxy/lifecycle/workers/ledger.ts'
import { LentShares, type Lender } from '../../../proxy/lifecycle/workers/lent-shares.ts'
import type { Share } from '../../../proxy/pipeline/shares.ts'

/** A ledger and workers around it, as the channel connects them: what is said arrives later, in its order. */
class Side implements Borrower, Lender {
  ended = false
  readonly shares: LentShares
  readonly #ledger: Ledger<Side>
  messages = 0

  constructor (ledger: Ledger<Side>, workers: number) {
    this.#ledger = ledger
    this.shares = new LentShares(this, workers)
  }

  want (share: string, count: number, limit: number): void {
    this.messages++
    setImmediate(() => void this.#ledger.borrow(this, share, count, limit).then((lent) => setImmediate(() => this.shares.lent(share, lent))))
  }

  owe (share: string, count: number): void {
    setImmediate(() => this.#ledger.owe(this, share, count))
  }

  giveBack (share: string, count: number): void {
    this.messages++
    setImmediate(() => this.#ledger.giveBack(this, share, count))
  }

  recall (share: string): Promise<void> {
    return new Promise((resolve) => setImmediate(() => {
      const count = this.shares.recall(share)
      if (count > 0) this.giveBack(share, count)
      setImmediate(() => setImmediate(resolve))
    }))
  }

  die (): void {
    this.ended = true
    this.#ledger.forget(this)
  }
}

function sides (count: number): Side[] {
  const ledger = new Ledger<Side>()
  return Array.from({ length: count }, () => new Side(ledger, count))
}

async function takeMany (share: Share, limit: number, count: number): Promise<number> {
  const got = await Promise.all(Array.from({ length: count }, async () => share.take(limit)))
  return got.filter(Boolean).length
}

/** Longer than whoever was refused asks nobody, and than anything takes to be said. */
const pause = async (): Promise<void> => {
  await new Promise((resolve) => setTimeout(resolve, 40))
  for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate)
}

for (const limit of [1, 2, 10, 100, 1_000]) {
  test(`all workers together get ${limit} places of ${limit}, whoever asks`, async () => {
    const [one, two, three] = sides(3) as [Side, Side, Side]
    const taken = await Promise.all([one, two, three].map((side) => takeMany(side.shares.named('x'), limit, limit)))
    assert.equal(taken.reduce((sum, count) => sum + count), limit)
    await pause()
    assert.equal(await takeMany(two.shares.named('x'), limit, 5), 0)
    // What one gives back another may use, to the last.
    for (let i = 0; i < taken[0]!; i++) one.shares.named('x').give()
    await pause()
    assert.equal(await takeMany(three.shares.named('x'), limit, limit), taken[0])
  })
}

test('whoever ends leaves its places to the others', async () => {
  const [one, two] = sides(2) as [Side, Side]
  assert.equal(await takeMany(one.shares.named('x'), 10, 10), 10)
  one.die()
  await pause()
  assert.equal(await takeMany(two.shares.named('x'), 10, 20), 10)
})

test('places that come and go under a large limit are hardly asked for', async () => {
  const [one] = sides(2) as [Side, Side]
  const share = one.shares.named('x')
  for (let i = 0; i < 10_000; i++) {
    const got = share.take(10_000)
    assert.equal(got instanceof Promise ? await got : got, true)
    share.give()
  }
  assert.ok(one.messages < 10, `${one.messages} messages`)
})

test('without a limit nobody is asked; what was taken then counts when there is one', async () => {
  const [one, two] = sides(2) as [Side, Side]
  assert.equal(await takeMany(one.shares.named('x'), Infinity, 7), 7)
  assert.equal(one.messages, 0)
  assert.equal(await takeMany(one.shares.named('x'), 10, 1), 1)
  await pause()
  assert.equal(await takeMany(two.shares.named('x'), 10, 10), 2)
  for (let i = 0; i < 8; i++) one.shares.named('x').give()
  await pause()
  assert.equal(await takeMany(two.shares.named('x'), 10, 20), 8)
})
