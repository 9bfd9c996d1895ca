import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HeaderList } from '../../../proxy/pipeline/headers.ts'

const lines = ['Host', 'a.example', 'Cookie', 'a=1', 'Cookie', 'b=2', 'Accept', '*/*']

const changes: Readonly<Record<string, { readonly change: (list: HeaderList) => void, readonly left: readonly string[] }>> = {
  'set in place': { change: (list) => list.set('cookie', 'c=3'), left: ['Host', 'a.example', 'cookie', 'c=3', 'Accept', '*/*'] },
  'set anew': { change: (list) => list.set('X-New', '1'), left: [...lines, 'X-New', '1'] },
  append: { change: (list) => list.append('Cookie', 'c=3'), left: [...lines, 'Cookie', 'c=3'] },
  remove: { change: (list) => list.remove('cookie'), left: ['Host', 'a.example', 'Accept', '*/*'] },
  'remove the first': { change: (list) => list.remove('host'), left: lines.slice(2) },
  'remove the last': { change: (list) => list.remove('accept'), left: lines.slice(0, -2) },
  removeIf: { change: (list) => list.removeIf((name) => name !== 'Accept'), left: ['Accept', '*/*'] },
  edit: { change: (list) => list.edit({ action: 'remove', name: 'Host', value: '' }), left: lines.slice(2) },
}

for (const [name, { change, left }] of Object.entries(changes)) {
  test(`${name}: who has the lines as they were keeps them so, and later changes are not seen either`, () => {
    const list = new HeaderList(lines.slice())
    const before = list.frozen()
    change(list)
    assert.deepEqual(before, lines)
    assert.deepEqual(list.raw(), left)
    const between = list.frozen()
    list.append('X-Later', '1')
    assert.deepEqual(between, left)
    assert.deepEqual(list.raw(), [...left, 'X-Later', '1'])
  })
}

test('as long as nothing changes, all get the same lines; what is not there and is removed changes nothing', () => {
  const list = new HeaderList(lines.slice())
  const first = list.frozen()
  list.remove('x-other')
  list.removeIf(() => false)
  assert.equal(list.frozen(), first)
  list.remove('cookie')
  assert.notEqual(list.frozen(), first)
})
