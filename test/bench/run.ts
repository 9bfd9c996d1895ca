import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fromRoot } from '../support/paths.ts'
import { callCases } from './calls/call-cases.ts'
import { runCalls } from './calls/run-calls.ts'
import type { Case, Part } from './case.ts'
import { cases } from './cases.ts'
import { serverCertificate } from './certificate.ts'
import { contenders } from './contenders/contenders.ts'
import { sentinel } from './contenders/sentinel.ts'
import type { Certificate } from './contenders/contender.ts'
import { machine, programs } from './machine.ts'
import { readOptions } from './options.ts'
import type { Running } from './processes.ts'
import { profileText } from './profile/print.ts'
import { profile } from './profile/profile.ts'
import { report } from './report.ts'
import { runCase, type Row } from './run-case.ts'
import { Unfit } from './unfit.ts'
import { upstreams, type UpstreamId } from './upstreams/upstreams.ts'

/**
 * `npm run bench`: what proxying costs, beside other proxies. Writes test/bench/RESULTS.md unless something is left out.
 *
 *     --list                         the cases and the contenders
 *     --cases plain-100b,tls-100b    only these
 *     --only sentinel,haproxy        only these
 *     --seconds 3 --rounds 3         of each contender in each case
 *     --profile sentinel             where the time goes: functions and files, in the chosen cases (the first one without)
 *
 * Bounded: a case takes about contenders × (rounds + 2) × seconds.
 */
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130))
const options = told(() => readOptions(process.argv.slice(2)))
const chosen = cases.filter(({ id }) => options.cases.length === 0 || options.cases.includes(id))

if (options.list) for (const one of [...cases, ...callCases, ...contenders]) print(`${one.id.padEnd(24)} ${one.title}`)
else process.exitCode = await main()

async function main (): Promise<number> {
  spawnSync(process.execPath, [fromRoot('.ci', 'system-packages.mjs'), 'bench'], { stdio: 'inherit' })
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-bench-'))
  const behind = new Map<UpstreamId, Running>()
  const upstreamOf = async ({ upstream }: Case): Promise<number> => {
    const running = behind.get(upstream) ?? await upstreams[upstream](join(folder, upstream))
    behind.set(upstream, running)
    return running.port
  }
  try {
    const certificate = serverCertificate(folder)
    if (options.profile === undefined) return await compare(folder, certificate, upstreamOf)
    const contender = contenders.find(({ id, compiles }) => id === options.profile && compiles)
    if (contender === undefined) throw new Unfit(`${options.profile} does not run in Node`)
    for (const one of options.cases.length === 0 ? chosen.slice(0, 1) : chosen) {
      const surroundings = { folder: join(folder, one.id), upstreamPort: await upstreamOf(one), certificate }
      print(`${one.title}: ${profileText(await profile(one, contender, surroundings, options.seconds), one.unit)}`)
    }
    return 0
  } catch (error) {
    if (!(error instanceof Unfit)) throw error
    print(error.message)
    return 1
  } finally {
    for (const running of behind.values()) await running.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function compare (folder: string, certificate: Certificate, upstreamOf: (one: Case) => Promise<number>): Promise<number> {
  const whole = options.only.length === 0 && options.cases.length === 0
  const results: [Part, Row[]][] = []
  for (const one of chosen) {
    const wanted = contenders.filter(({ id }) => one.contenders.includes(id) && (options.only.length === 0 || options.only.includes(id)))
    if (wanted.length === 0) continue
    print(`\n${one.id}`)
    const rows = await measured(one, wanted, folder, certificate, upstreamOf)
    for (const { contender, skipped } of rows) if (skipped !== undefined) print(`  ${contender.id}: ${skipped}`)
    results.push([one, rows])
  }
  if (options.only.length === 0 && (whole || callCases.some(({ id }) => options.cases.includes(id)))) {
    print(`\n${callCases.map(({ id }) => id).join(', ')}`)
    results.push(...await runCalls({ folder: join(folder, 'calls'), seconds: options.seconds, rounds: options.rounds }))
  }
  const [first] = chosen
  const profiled = whole && first !== undefined
    ? await profile(first, sentinel, { folder: join(folder, 'profile'), upstreamPort: await upstreamOf(first), certificate }, options.seconds)
    : undefined
  const page = report(results, { profile: profiled, machine: machine(), programs: programs(), seconds: options.seconds, rounds: options.rounds })
  print(`\n${page}`)
  const failed = results.some(([, rows]) => rows.some((row) => row.failed && row.contender.id.startsWith('sentinel')))
  if (whole && !failed) writeFileSync(fromRoot('test', 'bench', 'RESULTS.md'), page)
  else print('This was not the whole of it, or Sentinel failed: RESULTS.md stays as it is.')
  return failed ? 1 : 0
}

async function measured (
  one: Case, wanted: typeof contenders, folder: string, certificate: Certificate, upstreamOf: (one: Case) => Promise<number>,
): Promise<Row[]> {
  try {
    return await runCase(one, wanted, {
      folder,
      certificate,
      upstreamPort: await upstreamOf(one),
      seconds: options.seconds,
      rounds: options.rounds,
      tell: (contender, sample) => print(`  ${contender.padEnd(16)} ${one.figures.slice(0, 4).map((figure) => `${figure} ${sample[figure]?.toFixed(1) ?? '–'}`).join('  ')}`),
    })
  } catch (error) {
    if (!(error instanceof Unfit)) throw error
    return wanted.map((contender) => ({ contender, samples: [], skipped: error.message, failed: false }))
  }
}

/** A flag that was mistyped deserves a sentence, no stack. */
function told<T> (read: () => T): T {
  try {
    return read()
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    process.exit(1)
  }
}

function print (text: string): void {
  process.stdout.write(`${text}\n`)
}
