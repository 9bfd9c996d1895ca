// examples/observability: its dashboard and alerts ask for figures that there are, and a real Prometheus finds them.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { metricTable } from '../../proxy/observe/metrics-table.ts'
import { startCollector } from '../support/collector.ts'
import { fromRoot } from '../support/paths.ts'
import { promtool, without } from '../support/prometheus.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { startSentinel } from '../support/sentinel.ts'
import { patienceMs } from '../support/patience.ts'
import { deadPort } from '../support/upstream.ts'

const file = (...path: string[]): string => readFileSync(fromRoot('examples', 'observability', ...path), 'utf8')

interface Panel {
  readonly type: string
  readonly title: string
  readonly gridPos: { readonly x: number, readonly y: number, readonly w: number, readonly h: number }
  readonly targets?: ReadonlyArray<{ readonly expr: string, readonly legendFormat: string }>
}

interface Dashboard {
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: ReadonlyArray<{ readonly name: string, readonly definition?: string }> }
  readonly annotations: { readonly list: ReadonlyArray<{ readonly expr: string }> }
}

const dashboard = JSON.parse(file('grafana', 'sentinel.json')) as Dashboard // The file is in the repository.
const queries = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))

/** Names of series with the labels that each has. */
const known = new Map(Object.values(metricTable()).flatMap(({ declaration: { name, kind, labels } }) => (
  kind === 'histogram' ? [[`${name}_bucket`, [...labels, 'le']] as const, [`${name}_sum`, labels] as const, [`${name}_count`, labels] as const] : [[name, labels] as const]
)))

/** What Prometheus adds. */
const always = ['instance', 'job']

test('the dashboard and the alerts ask for series that there are, by labels that they have', () => {
  const texts = [...queries, ...dashboard.annotations.list.map(({ expr }) => expr), ...dashboard.templating.list.flatMap(({ definition = [] }) => definition), ...file('alerts.yml').match(/expr: .*/g) ?? []]
  let found = 0
  for (const text of texts) {
    for (const [, name = '', selector = ''] of text.matchAll(/\b((?:sentinel|process|nodejs)_[a-z_]+)(?:\{([^}]*)\})?/g)) {
      found++
      const labels = known.get(name) ?? assert.fail(`there is no ${name}: ${text}`)
      for (const [, label = ''] of selector.matchAll(/([a-z_]+)(?:=~|!~|!=|=)/g)) assert.ok(labels.includes(label) || always.includes(label), `${name} has no ${label}: ${text}`)
    }
  }
  assert.ok(found > 60, `${found} series are asked for`)
})

test('every label that a legend names comes out of its query, and no panel lies over another', () => {
  for (const { title, targets = [] } of dashboard.panels) {
    for (const { expr, legendFormat } of targets) {
      for (const [, label = ''] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) assert.match(expr, new RegExp(`by \\([^)]*\\b${label}\\b`), title)
    }
  }
  const cells = new Set<string>()
  for (const { title, gridPos: { x, y, w, h } } of dashboard.panels) {
    for (let column = x; column < x + w; column++) {
      for (let line = y; line < y + h; line++) {
        assert.ok(column < 24 && !cells.has(`${column} ${line}`), title)
        cells.add(`${column} ${line}`)
      }
    }
  }
})

test('promtool finds nothing wrong with the alerts and the configuration of Prometheus', without('promtool'), () => {
  for (const args of [['check', 'rules', 'alerts.yml'], ['check', 'config', 'prometheus.yml']]) {
    const { code, text } = promtool([...args.slice(0, 2), fromRoot('examples', 'observability', args[2]!)])
    assert.equal(code, 0, text)
  }
})

/** Prometheus with the example's configuration, that looks often; gives how to ask it. */
async function startPrometheus (t: TestContext, folder: string, metricsPort: number): Promise<(path: string) => Promise<unknown>> {
  const port = await deadPort()
  writeFileSync(join(folder, 'alerts.yml'), file('alerts.yml'))
  writeFileSync(join(folder, 'prometheus.yml'), file('prometheus.yml').replaceAll('15s', '200ms').replace('127.0.0.1:9191', `127.0.0.1:${metricsPort}`))
  const child = spawn('prometheus', [
    `--config.file=${join(folder, 'prometheus.yml')}`, `--storage.tsdb.path=${join(folder, 'tsdb')}`, `--web.listen-address=127.0.0.1:${port}`, '--enable-feature=exemplar-storage',
  ], { stdio: 'ignore' })
  const ended = new Promise((resolve) => { child.once('exit', resolve) })
  t.after(async () => {
    child.kill('SIGKILL')
    await ended
  })
  return async (path) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`).catch(() => undefined)
    if (answer === undefined) return undefined
    const { status, data, error } = await answer.json() as { readonly status: string, readonly data?: unknown, readonly error?: string }
    assert.equal(status, 'success', `${path}: ${error}`)
    return data
  }
}

/** Prometheus looks when it does. */
async function untilHolds (check: () => Promise<void>): Promise<void> {
  for (const deadlineMs = performance.now() + patienceMs; ;) {
    try {
      return await check()
    } catch (error) {
      if (performance.now() > deadlineMs) throw error
      await new Promise((resolve) => { setTimeout(resolve, 100) })
    }
  }
}

test('a real Prometheus scrapes the example, finds data for the panels of its dashboard, and the traces behind them', without('prometheus'), async (t) => {
  const collector = await startCollector(t)
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, file('sentinel.kdl')
    .replace('127.0.0.1:8080', '127.0.0.1:0').replace('127.0.0.1:3000', `127.0.0.1:${upstream.port}`).replace('127.0.0.1:9191', '127.0.0.1:0')
    .replace('127.0.0.1:4318', `127.0.0.1:${collector.port}`).replace('sampling-rate 0.1', 'sampling-rate 1'))
  const ask = await startPrometheus(t, sentinel.folder, sentinel.metricsPort())
  const valuesOf = async (query: string): Promise<number[]> => {
    const expr = query.replaceAll('$__rate_interval', '1m').replaceAll(/\$(?:instance|route|upstream)/g, '.*')
    const data = await ask(`/api/v1/query?query=${encodeURIComponent(expr)}`) as { readonly result: ReadonlyArray<{ readonly value: readonly [number, string] }> } | undefined
    return (data?.result ?? []).map(({ value: [, value] }) => Number(value)).filter((value) => !Number.isNaN(value))
  }
  const panel = (title: string): string => dashboard.panels.find((one) => one.title === title)!.targets![0]!.expr
  await untilHolds(async () => {
    await sentinel.request('/')
    assert.ok((await valuesOf(panel('Requests'))).some((value) => value > 0))
  })
  for (const title of ['Time of requests', 'Bytes', 'At a time', 'Time of upstreams', 'Targets that may be asked', 'Picks', 'Connections to targets', 'Processor', 'Memory', 'Clients', 'Versions']) {
    await untilHolds(async () => assert.ok((await valuesOf(panel(title))).length > 0, title))
  }
  // Those that have no data are understood all the same.
  for (const query of queries) await valuesOf(query)
  const traces = new Set(collector.spans.map(({ traceId }) => traceId))
  const now = Date.now() / 1000
  await untilHolds(async () => {
    const data = await ask(`/api/v1/query_exemplars?query=sentinel_request_duration_seconds_bucket&start=${now - 600}&end=${now + 600}`) as ReadonlyArray<{ readonly exemplars: ReadonlyArray<{ readonly labels: { readonly trace_id: string } }> }>
    const found = data.flatMap(({ exemplars }) => exemplars.map(({ labels }) => labels.trace_id))
    for (const { traceId } of collector.spans) traces.add(traceId)
    assert.ok(found.some((id) => traces.has(id)), 'an exemplar leads to a trace that was collected')
  })
  const rules = await ask('/api/v1/rules') as { readonly groups: ReadonlyArray<{ readonly rules: ReadonlyArray<{ readonly name: string, readonly health: string, readonly state: string }> }> }
  assert.deepEqual(rules.groups.flatMap((group) => group.rules).filter(({ health, state }) => health === 'err' || state === 'firing'), [])
})
