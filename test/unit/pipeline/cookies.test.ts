import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cookieOf } from '../../../proxy/pipeline/cookies.ts'
import { HeaderList } from '../../../proxy/pipeline/headers.ts'

const rows: ReadonlyArray<readonly [lines: readonly string[], value: string | undefined]> = [
  [['sid=1'], '1'], [['a=b; sid=1; c=d'], '1'], [['a=b;sid=1'], '1'], [['a=b'], undefined], [[], undefined], [['sid'], undefined], [['sid='], ''], [['xsid=2; sid=1'], '1'],
  [['a=sid=3; sid=1'], '1'], [['a=b; x sid=3'], undefined], [['sidx=2'], undefined], [['SID=2'], undefined], [['sid="quoted"'], 'quoted'], [['sid="'], '"'], [['sid=1; sid=2'], '1'],
  [['a=b', 'sid=1'], '1'], [['  sid=1  ; a=b'], '1'], [['sid = 1'], undefined], [['sid=a=b'], 'a=b'],
]

for (const [lines, value] of rows) {
  test(`cookie sid of ${JSON.stringify(lines)} is ${String(value)}`, () => {
    assert.equal(cookieOf(new HeaderList(lines.flatMap((line) => ['Cookie', line])), 'sid'), value)
  })
}
