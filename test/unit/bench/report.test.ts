import assert from 'node:assert/strict'
import { test } from 'node:test'
import { callCases } from '../../bench/calls/call-cases.ts'
import type { Case, Part } from '../../bench/case.ts'
import { cases } from '../../bench/cases.ts'
import { contenders } from '../../bench/contenders/contenders.ts'
import { middle, type Sample } from '../../bench/figures.ts'
import { readOptions } from '../../bench/options.ts'
import { report } from '../../bench/report.ts'
import { pace, type Row } from '../../bench/run-case.ts'
import { goals, verdict } from '../../bench/targets.ts'
import { upstreams } from '../../bench/upstreams/upstreams.ts'

const conditions = { machine: 'a machine', programs: 'some programs', seconds: 3, rounds: 3 }

function row (id: string, samples: Sample[], skipped?: string): Row {
  return { contender: { id, title: contenders.find((one) => one.id === id)?.title ?? id }, samples, skipped, failed: false }
}

function caseOf (id: string): Case {
  const found = cases.find((one) => one.id === id)
  assert.ok(found !== undefined, id)
  return found
}

test('the middle of an odd and of an even number of rounds, and what lies around it', () => {
  assert.deepEqual(middle([{ cpuUs: 3 }, { cpuUs: 1 }, { cpuUs: 10 }], 'cpuUs'), { median: 3, least: 1, most: 10 })
  assert.deepEqual(middle([{ cpuUs: 3 }, { cpuUs: 1 }], 'cpuUs'), { median: 2, least: 1, most: 3 })
  assert.equal(middle([{ cpuUs: 3 }], 'agentUs'), undefined)
})

test('a table has a line for everybody who was measured, compared in its first figure, and the reasons of the others', () => {
  const page = report([[caseOf('plain-10k'), [
    row('nginx', [{ cpuUs: 10, perSecond: 9000, busyPercent: 60, loadPercent: 99, foreignPercent: 12 }]),
    row('haproxy', [{ cpuUs: 20, perSecond: 8000, busyPercent: 99, loadPercent: 60 }]),
    row('caddy', [], 'Caddy is not installed'),
    row('sentinel', [{ cpuUs: 31 }, { cpuUs: 29 }, { cpuUs: 30 }]),
  ]]], conditions)
  assert.match(page, /^\| \| CPU µs per request \| × HAProxy \| requests\/s \| its core % \| core of the load % \|$/m)
  assert.match(page, /^\| nginx \| 10\.0 \| 0\.50 \| 9000 \| 60 \| 99 \|$/m)
  assert.match(page, /^\| Sentinel \| 30\.0 \(29\.0–31\.0\) \| 1\.50 \|  \|  \|  \|$/m)
  assert.match(page, /^- Load and upstream were the bottleneck for nginx:/m)
  assert.match(page, /^- Other programs used up to 12 % of the proxy's core/m)
  assert.match(page, /^- Not measured: Caddy \(Caddy is not installed\)$/m)
  assert.doesNotMatch(page, /\n\n\n|undefined|NaN/)
})

test('a case without figures has no table', () => {
  const page = report([[caseOf('websocket'), [row('sentinel', [], 'it answers an upgrade with 403')]]], conditions)
  assert.match(page, /## WebSocket messages\n\n`websocket`: [^\n]*\n\n- Not measured: Sentinel \(it answers an upgrade with 403\)\n$/)
})

test('a goal is met, not met or not measured', () => {
  const goal = { title: 'CPU', case: 'plain-100b', figure: 'cpuUs', bound: 'at most', value: 2, times: 'haproxy' } as const
  const with_ = (...rows: Row[]): Map<string, Row[]> => new Map([['plain-100b', rows]])
  assert.deepEqual(verdict(goal, with_(row('haproxy', [{ cpuUs: 10 }]), row('sentinel', [{ cpuUs: 20 }]))), {
    wanted: '≤ 2 × HAProxy', measured: '2.00 × (20.0 to 10.0)', word: 'met',
  })
  assert.equal(verdict(goal, with_(row('haproxy', [{ cpuUs: 10 }]), row('sentinel', [{ cpuUs: 20.1 }]))).word, 'not met')
  assert.equal(verdict(goal, with_(row('haproxy', []), row('sentinel', [{ cpuUs: 20 }]))).word, 'not measured')
  assert.equal(verdict(goal, new Map()).word, 'not measured')
  const absolute = { title: 'Memory', case: 'plain-100b', figure: 'idleMb', bound: 'at least', value: 80, unit: 'MB' } as const
  assert.deepEqual(verdict(absolute, with_(row('sentinel', [{ idleMb: 79 }]))), { wanted: '≥ 80 MB', measured: '79.0 MB', word: 'not met' })
})

test('every goal, case and contender names what there is', () => {
  for (const goal of goals) {
    const one: Part & { readonly contenders: readonly string[] } = callCases.find(({ id }) => id === goal.case) ?? caseOf(goal.case)
    assert.ok(one.figures.includes(goal.figure), `${goal.case} shows ${goal.figure}`)
    for (const id of [goal.of ?? 'sentinel', ...goal.times === undefined ? [] : [goal.times]]) assert.ok(one.contenders.includes(id), `${id} takes part in ${one.id}`)
  }
  for (const one of cases) {
    for (const id of one.contenders) assert.ok(contenders.some((contender) => contender.id === id), id)
    assert.ok(one.upstream in upstreams)
  }
  assert.equal(new Set(cases.map(({ id }) => id)).size, cases.length)
})

test('half load is half of what the slower one of the two can do', () => {
  const speeds = new Map([['sentinel', 1000], ['haproxy', 5000], ['caddy', 400]])
  const at = (id: string): number | undefined => pace({ ...caseOf('half-load'), paceOf: 'sentinel' }, { id }, speeds)
  assert.deepEqual([at('haproxy'), at('sentinel'), at('caddy')], [500, 500, 200])
  assert.equal(pace({ ...caseOf('half-load'), paceOf: 'nobody' }, { id: 'haproxy' }, speeds), 2500)
  assert.equal(pace(caseOf('plain-100b'), { id: 'haproxy' }, speeds), undefined)
})

test('a flag that names nothing is refused with the names there are', () => {
  assert.throws(() => readOptions(['--cases', 'plain-100']), /--cases knows no plain-100; there are plain-100b, /)
  assert.throws(() => readOptions(['--only', 'apache']), /--only knows no apache; there are nginx, /)
  assert.throws(() => readOptions(['--rounds', '0']), /--rounds is a whole number from 1 to 10, not 0/)
  assert.deepEqual(readOptions(['--cases', 'plain-100b,half-load', '--profile', 'sentinel']), {
    seconds: 3, rounds: 3, only: [], cases: ['plain-100b', 'half-load'], profile: 'sentinel', list: false,
  })
})
