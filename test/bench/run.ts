import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { fromRoot } from '../support/paths.ts'
import { contenders, isAgent, startUpstream, type Contender } from './contenders.ts'
import { load } from './load.ts'
import { usage } from './processes.ts'
import { profile } from './profile/profile.ts'
import { report, type Row, type Sample } from './report.ts'

/**
 * `npm run bench`: what proxying a request costs, beside nginx and HAProxy. Writes test/bench/RESULTS.md unless `--only` leaves
 * something out. Bounded: rounds × contenders × (seconds + 11) s.
 */
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '8' },
    rounds: { type: 'string', default: '2' },
    connections: { type: 'string', default: '64' },
    only: { type: 'string', default: '' },
    cases: { type: 'string', default: 'plain-100b' },
    profile: { type: 'string' }
  }
})
const seconds = bounded('seconds', values.seconds, 60)
const rounds = bounded('rounds', values.rounds, 10)
const connections = bounded('connections', values.connections, 1000)
const only = values.only.split(',').filter((id) => id !== '')

spawnSync(process.execPath, [fromRoot('.ci', 'system-packages.mjs'), 'bench'], { stdio: 'inherit' })
if (values.cases !== 'plain-100b') throw new Error(`there is no case ${values.cases}: plain-100b`)
const folder = mkdtempSync(join(tmpdir(), 'sentinel-bench-'))
const upstream = await startUpstream(folder)
if (values.profile !== undefined) {
  await profiled(values.profile)
  process.exit()
}
const rows: { contender: Contender, samples: Sample[], skipped: string | undefined }[] = contenders
  .filter(({ id }) => only.length === 0 || only.includes(id))
  .map((contender) => ({ contender, samples: [], skipped: contender.missing }))
try {
  // In turns: a machine that gets slower meanwhile slows everybody.
  for (let round = 0; round < rounds; round++) {
    for (const row of rows) {
      if (row.skipped !== undefined) continue
      try {
        const sample = await measure(row.contender, join(folder, `${row.contender.id}-${round}`))
        row.samples.push(sample)
        print(`${row.contender.id.padEnd(16)} ${sample.proxyUsPerRequest.toFixed(1).padStart(7)} µs  ${sample.requestsPerSecond.toFixed(0).padStart(7)} req/s`)
      } catch (error) {
        row.skipped = error instanceof Error ? error.message : String(error)
        row.samples.length = 0
        print(`${row.contender.id}: ${row.skipped}`)
      }
    }
  }
} finally {
  await upstream.stop()
  rmSync(folder, { recursive: true, force: true })
}
const page = report(rows satisfies readonly Row[], { connections, seconds, rounds })
print(`\n${page}`)
const sentinelFailed = rows.some(({ contender, skipped }) => contender.id.startsWith('sentinel') && skipped !== undefined)
if (only.length === 0 && !sentinelFailed) writeFileSync(fromRoot('test', 'bench', 'RESULTS.md'), page)
process.exitCode = sentinelFailed ? 1 : 0

/** `--profile CONTENDER`: where the time goes, of a program that runs in Node. */
async function profiled (id: string): Promise<void> {
  const contender = contenders.find((one) => one.id === id)
  if (contender === undefined) throw new Error(`there is no contender ${id}: ${contenders.map((one) => one.id).join(', ')}`)
  try {
    print(await profile({
      start: (flags) => contender.start(folder, upstream.port, flags),
      check: checkAnswer,
      load: async (port, forSeconds) => (await load(port, connections, forSeconds)).requests,
      seconds,
      folder,
    }))
  } finally {
    await upstream.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function measure (contender: Contender, own: string): Promise<Sample> {
  mkdirSync(own)
  const running = await contender.start(own, upstream.port)
  try {
    await checkAnswer(running.port)
    // Collections and lazy loading after the start are not what an idle proxy costs.
    await delay(1000)
    const idle = usage(running.pid, isAgent)
    // Until the compiler of a JavaScript proxy has settled: the first seconds cost twice as much.
    await load(running.port, connections, 10)
    const before = usage(running.pid, isAgent)
    const done = await load(running.port, connections, seconds)
    const after = usage(running.pid, isAgent)
    if (done.requests === 0) throw new Error(`no request was answered\n${running.output()}`)
    return {
      proxyUsPerRequest: (after.proxyCpuUs - before.proxyCpuUs) / done.requests,
      agentUsPerRequest: (after.agentCpuUs - before.agentCpuUs) / done.requests,
      requestsPerSecond: done.requests / done.seconds,
      p50Ms: done.p50Ms,
      p99Ms: done.p99Ms,
      idleBytes: idle.proxyBytes,
      loadedBytes: after.proxyBytes,
      failed: done.failed
    }
  } finally {
    await running.stop()
  }
}

/** A proxy that answers quickly and wrongly must not win. */
async function checkAnswer (port: number): Promise<void> {
  const until = performance.now() + 10_000
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${port}/bench`, { headers: { connection: 'close' } })
    const body = await answer.text()
    if (answer.status === 200 && body === 'x'.repeat(100)) return
    // An agent may need a moment after the listener is there.
    if (performance.now() > until) throw new Error(`answered ${answer.status} with ${body.length} bytes: ${body.slice(0, 200)}`)
    await delay(100)
  }
}

function bounded (name: string, text: string, most: number): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1 || value > most) throw new Error(`--${name} is a whole number from 1 to ${most}, not ${text}`)
  return value
}

function print (text: string): void {
  process.stdout.write(`${text}\n`)
}
