import assert from 'node:assert/strict'
import { test } from 'node:test'
import { edited, replaced, withoutItems, withoutMembers } from '../../../proxy/decisions/tools/edits.ts'
import { member, readJson, Unreadable, type JsonArray, type JsonObject } from '../../../proxy/decisions/tools/json.ts'
import { EventSplitter } from '../../../proxy/decisions/tools/server-events.ts'
import { pick, randomFrom } from '../../support/chance.ts'

test('what is JSON for the platform is JSON here, and nothing else, but for names that are twice', () => {
  const random = randomFrom(11)
  const seeds = ['{"a":[1,2.5e-3,true,null,"x\\u00e9\\n"],"b":{"c":{}}}', '[]', '[[],{}]', '"\\ud83d\\ude00"', '-0', '0.1', '1E+5', ' {"a" : 1 } ']
  const parts = ['{', '}', '[', ']', ',', ':', '"', '\\', 'u', '0', '1', '-', '.', 'e', ' ', 'true', 'nul', 'a', '\n', '\u0001', 'é']
  let accepted = 0
  for (let round = 0; round < 20_000; round++) {
    let text = pick(seeds, random)
    for (let i = random(4); i > 0; i--) {
      const at = random(text.length + 1)
      text = text.slice(0, at) + (random(2) === 0 ? pick(parts, random) : '') + text.slice(at + random(2))
    }
    let value: unknown
    let isJson = true
    try {
      value = JSON.parse(text)
    } catch {
      isJson = false
    }
    try {
      const root = readJson(text)
      assert.ok(isJson, `taken: ${JSON.stringify(text)}`)
      assert.deepEqual(JSON.parse(text.slice(root.start, root.end)), value)
      accepted++
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error
      assert.ok(!isJson || /twice|keeps/.test(error.message), `refused: ${JSON.stringify(text)}: ${error.message}`)
    }
  }
  assert.ok(accepted > 1_000)
})

test('a member in another case is no member, and nothing that can be told', () => {
  const object = readJson('{"name":1,"NAMES":2}') as JsonObject
  assert.equal(member(object, 'name')?.kind, 'number')
  assert.throws(() => member(object, 'names'), Unreadable)
  assert.equal(member(object, 'other'), undefined)
})

test('members and items are taken out with their commas, in every choice of them', () => {
  for (let mask = 0; mask < 16; mask++) {
    const names = ['a', 'b', 'c', 'd']
    const gone = names.filter((_, i) => (mask & (1 << i)) !== 0)
    const object = ' { "a":1 , "b": [2],"c" :{} ,"d":4 } '
    assert.deepEqual(Object.keys(JSON.parse(edited(object, withoutMembers(readJson(object) as JsonObject, gone))) as object), names.filter((name) => !gone.includes(name)), gone.join())
    const list = '[ 0 ,1, 2,3 ]'
    const array = readJson(list) as JsonArray
    const taken = new Set(array.items.filter((_, i) => (mask & (1 << i)) !== 0))
    assert.deepEqual(JSON.parse(edited(list, withoutItems(array, taken))), [0, 1, 2, 3].filter((i) => (mask & (1 << i)) === 0))
  }
})

test('a value is put in the place of another', () => {
  assert.equal(edited(' 1 ', [replaced(readJson(' 1 '), '"x"')]), ' "x" ')
})

test('events are the same, however the stream is cut, and nothing of it is lost', () => {
  const stream = ': a\r\n\r\ndata: 1\ndata:2\n\n\rid: 3\revent: x\rdata\r\rdata: é\r\n\n\n\ndata: end'
  const whole = [...new EventSplitter().all(Buffer.from(stream))]
  assert.deepEqual(whole.map(({ data }) => data).filter((data) => data !== undefined), ['1\n2', '', 'é', 'end'])
  const bytes = Buffer.from(stream)
  for (let at = 0; at <= bytes.length; at++) {
    const splitter = new EventSplitter()
    const events = [...splitter.push(bytes.subarray(0, at)), ...splitter.push(bytes.subarray(at))]
    const last = splitter.end()
    if (last !== undefined) events.push(last)
    assert.deepEqual(events.map(({ data }) => data), whole.map(({ data }) => data), String(at))
    assert.deepEqual(Buffer.concat(events.map(({ raw }) => raw)), bytes)
  }
})
