import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Sample } from './held-out.ts'
import { encodedSamples, heldOut, machineSamples, rateOf, samplesOf } from './held-out.ts'
import { secondAttacks, secondBenign } from './held-out-second.ts'
import { thirdAttacks, thirdBenign } from './held-out-third.ts'

const places = ['form', 'json', 'query', 'header', 'cookie', 'multipart', 'text']

/** The rates are floors: they may get better, and what fails is named. */
function holds (name: string, samples: readonly Sample[], of: { readonly found?: number, readonly wrong?: number }): void {
  test(name, (t) => {
    const { total, blocked, passed } = rateOf(samples, 1)
    t.diagnostic(`${blocked.length} of ${total} refused`)
    if (of.found !== undefined) assert.ok(blocked.length >= of.found * total, `${blocked.length}/${total}; missed: ${passed.map(({ text }) => text).join(' ¦ ')}`)
    if (of.wrong !== undefined) assert.ok(blocked.length <= of.wrong * total, `${blocked.length}/${total}; refused: ${blocked.map(({ text }) => text).join(' ¦ ')}`)
  })
}

test('the held-out corpora are large enough to mean something', () => {
  const count = (lists: Readonly<Record<string, readonly string[]>>) => Object.values(lists).flat().length
  assert.ok(count(heldOut.benign) >= 250 && count(heldOut.attacks) >= 250)
  for (const size of [count(secondBenign), count(secondAttacks), thirdBenign.length, thirdAttacks.length]) assert.ok(size >= 60)
})

for (const place of places) {
  holds(`level 1 refuses 97 % of the held-out attacks in: ${place}`, samplesOf(heldOut.attacks, [place]), { found: 0.97 })
  holds(`level 1 refuses at most 1 % of the held-out texts in: ${place}`, samplesOf(heldOut.benign, [place]), { wrong: 0.01 })
}
holds('level 1 refuses every attack that comes encoded', encodedSamples, { found: 1 })
holds('level 1 refuses none of the paths, agents, cookies and queries of real clients', machineSamples, { wrong: 0 })
holds('level 1 refuses 97 % of the second attacks', samplesOf(secondAttacks, ['form', 'json', 'query']), { found: 0.97 })
holds('level 1 refuses at most 2 % of the second texts', samplesOf(secondBenign, ['form', 'json', 'query']), { wrong: 0.02 })
holds('level 1 refuses 97 % of the third attacks', samplesOf({ third: thirdAttacks }, ['form', 'json', 'query']), { found: 0.97 })
holds('level 1 refuses at most 9 % of the third texts, on which no rule was tuned before they were counted', samplesOf({ third: thirdBenign }, ['form', 'json', 'query']), { wrong: 0.09 })
