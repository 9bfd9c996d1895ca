import assert from 'node:assert/strict'
import { test } from 'node:test'
import { wantsColour } from '../../../proxy/cli/paint.ts'

test('colours are for terminals that know them, and for those who did not refuse them', () => {
  const terminal = { isTTY: true }
  assert.equal(wantsColour({ TERM: 'xterm' }, [terminal, terminal]), true)
  assert.equal(wantsColour({ NO_COLOR: '' }, [terminal, terminal]), true)
  assert.equal(wantsColour({ NO_COLOR: '1' }, [terminal, terminal]), false)
  assert.equal(wantsColour({ TERM: 'dumb' }, [terminal, terminal]), false)
  assert.equal(wantsColour({}, [terminal, {}]), false, 'errors that go to a file carry no control sequences')
})
