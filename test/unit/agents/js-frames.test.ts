import assert from 'node:assert/strict'
import { test } from 'node:test'
import { frame, frameReader } from '../../../agents/js/frames.ts'

test('a message that could not be taken does not come again with the next one', () => {
  const taken: string[] = []
  const read = frameReader((kind, payload) => {
    taken.push(`${kind} ${payload.toString()}`)
    if (kind === 1) throw new Error('not taken')
  })
  assert.throws(() => read(Buffer.concat([frame(0, 'first'), frame(1, 'second'), frame(2, 'third').subarray(0, 7)])), /not taken/)
  read(Buffer.concat([frame(2, 'third').subarray(7), frame(3, 'fourth')]))
  assert.deepEqual(taken, ['0 first', '1 second', '2 third', '3 fourth'])
})
