import { spawn } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { tally, type Tally, type TestEvent } from './events.ts'
import { findProcesses, kill, leftovers, runMark } from './leftovers.ts'

export interface FileRun extends Tally {
  /** What is wrong with the file as a whole; each counts as one failure. */
  readonly problems: readonly string[]
  /** Last part of what it printed. */
  readonly output: string
  readonly durationMs: number
}

export interface FileRunOptions {
  readonly timeoutMs: number
  /** Ends the run early: everything the file started is killed. */
  readonly signal: AbortSignal
  /** How long it may stay alive with all its tests done; 10 s. */
  readonly lingerMs?: number
}

const keptOutputBytes = 64 * 1024
const leftoverGraceMs = 10_000
const reporter = new URL('./reporter.js', import.meta.url)

let runs = 0

/** Runs one compiled test file in a process of its own, in a session of its own, and looks what it left behind. */
export async function runFile (file: string, { timeoutMs, signal, lingerMs = 10_000 }: FileRunOptions): Promise<FileRun> {
  const started = performance.now()
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-test-'))
  const eventsFile = join(folder, 'events')
  const eventsFd = openSync(eventsFile, 'w')
  const mark = `${process.pid}.${++runs}`
  const env = { ...process.env, [runMark]: mark, SENTINEL_TEST_LINGER_MS: String(lingerMs) }
  const child = spawn(process.execPath, [
    '--enable-source-maps', `--test-reporter=${reporter.href}`, '--test-reporter-destination=stdout', file
  ], { stdio: ['ignore', 'pipe', 'pipe', eventsFd], detached: true, env })
  closeSync(eventsFd)
  const session = child.pid ?? -1
  const output = [tail(child.stdout), tail(child.stderr)]
  let timedOut = false
  const end = (): void => kill(findProcesses(session, mark))
  const timer = setTimeout(() => {
    timedOut = true
    end()
  }, timeoutMs)
  signal.addEventListener('abort', end)
  const exit = await new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message))
    // Not 'close': a process left behind may hold the pipes open for ever.
    child.on('exit', (code, killedBy) => resolve(killedBy ?? String(code)))
  })
  clearTimeout(timer)
  signal.removeEventListener('abort', end)
  const left = await leftovers(session, mark, signal.aborted ? 0 : leftoverGraceMs)
  kill(left)
  const events = readEvents(eventsFile)
  rmSync(folder, { recursive: true, force: true })
  const counted = tally(events)
  const problems = problemsOf(events, counted, exit, timedOut ? timeoutMs : undefined)
  for (const { pid, command } of left) problems.push(`left a process behind (${pid}): ${command}`)
  child.stdout?.destroy()
  child.stderr?.destroy()
  return { ...counted, problems, output: output.map((read) => read()).join('').trim(), durationMs: performance.now() - started }
}

function problemsOf (events: readonly TestEvent[], counted: Tally, exit: string, timeoutMs: number | undefined): string[] {
  const problems: string[] = []
  for (const event of events) {
    // node:test only remarks that an assertion or a rejection came after its test had passed.
    if (event.type === 'note' && /asynchronous activity/.test(event.text)) problems.push(`went on after a test: ${event.text}`)
  }
  const during = counted.unfinished.length === 0 ? '' : ` during: ${counted.unfinished.join(' › ')}`
  const lingering = events.find((event) => event.type === 'lingering')
  if (timeoutMs !== undefined) problems.push(`did not end within ${timeoutMs / 1000} s${during}`)
  else if (lingering !== undefined) problems.push(`does not end though all its tests did; still open: ${lingering.resources.join(', ')}`)
  else if (exit !== '0' && counted.failures.length + problems.length === 0) problems.push(`ended with ${exit}${during}`)
  else if (!events.some((event) => event.type === 'result')) problems.push('ran no test')
  return problems
}

function readEvents (file: string): TestEvent[] {
  // Written by the reporter beside this file; the last line may be cut when the process was killed.
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  return lines.map((line): TestEvent => JSON.parse(line))
}

function tail (stream: Readable | null): () => string {
  const chunks: Buffer[] = []
  let bytes = 0
  stream?.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    bytes += chunk.length
    while (bytes - (chunks[0]?.length ?? 0) > keptOutputBytes) bytes -= chunks.shift()?.length ?? 0
  })
  stream?.on('error', () => {})
  return () => Buffer.concat(chunks).toString('utf8')
}

