import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fromDist } from './support/paths.ts'
import { printFile, printSummary, type NamedRun } from './support/runner/print.ts'
import { runFile } from './support/runner/run-file.ts'

/** Every kind of test; bench/ is none and support/ holds none. */
const kinds = ['unit', 'golden', 'conformance', 'scenarios', 'security']
const fileTimeoutMs = 600_000
/** More than two at a time would make timing promises ("within 50 ms") a matter of luck. */
const concurrency = Math.min(2, availableParallelism())
const testRoot = fromDist('test')
const timesFile = fromDist('.test-times.json')

/**
 * Runs every test file whose path contains one of `filters` (all without a filter) and prints the count as its last line.
 * Files named `*.alone.test.ts` run after the others, one at a time. Returns the exit code.
 */
export async function main (filters: readonly string[]): Promise<number> {
  const files = findFiles(filters)
  if (files.length === 0) {
    process.stdout.write(`No test file matches ${filters.join(' ')}.\n0 passed, 1 failed, 0 skipped\n`)
    return 1
  }
  const stop = new AbortController()
  const interrupted = (): void => stop.abort()
  process.on('SIGINT', interrupted)
  process.on('SIGTERM', interrupted)
  const started = performance.now()
  const times = readTimes()
  const alone = files.filter((file) => file.includes('.alone.'))
  const together = files.filter((file) => !alone.includes(file)).sort((a, b) => (times[b] ?? 0) - (times[a] ?? 0))
  const runs: NamedRun[] = []
  const work = async (queue: string[]): Promise<void> => {
    for (let file = queue.shift(); file !== undefined && !stop.signal.aborted; file = queue.shift()) {
      const run = { ...await runFile(join(testRoot, `${file}.js`), { timeoutMs: fileTimeoutMs, signal: stop.signal }), file }
      times[file] = Math.round(run.durationMs)
      runs.push(run)
      printFile(run)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, () => work(together)))
  await work(alone)
  writeTimes(times)
  if (stop.signal.aborted) process.stdout.write('\nStopped.\n')
  const failed = printSummary(runs, performance.now() - started)
  process.off('SIGINT', interrupted)
  process.off('SIGTERM', interrupted)
  if (stop.signal.aborted) return 130
  return failed === 0 ? 0 : 1
}

/** Paths relative to dist/test without ".js", sorted: "unit/config/duration.test". */
function findFiles (filters: readonly string[]): string[] {
  const files = kinds.flatMap((kind) => walk(join(testRoot, kind)))
    .filter((file) => file.endsWith('.test.js'))
    .map((file) => relative(testRoot, file).slice(0, -'.js'.length))
    .sort()
  const wanted = filters.map((filter) => filter.replace(/^(\.\/)?(dist\/)?test\//, '').replace(/\.[jt]s$/, ''))
  return wanted.length === 0 ? files : files.filter((file) => wanted.some((part) => file.includes(part)))
}

function walk (folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    return entry.isDirectory() ? walk(path) : [path]
  })
}

/** How long each file took last time: the slow ones begin first. */
function readTimes (): Record<string, number> {
  try {
    return JSON.parse(readFileSync(timesFile, 'utf8'))
  } catch {
    return {}
  }
}

function writeTimes (times: Record<string, number>): void {
  mkdirSync(dirname(timesFile), { recursive: true })
  writeFileSync(timesFile, JSON.stringify(times))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await main(process.argv.slice(2))
