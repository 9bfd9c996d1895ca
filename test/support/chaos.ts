import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import http from 'node:http'
import type { TestContext } from 'node:test'
import { eventually } from './eventually.ts'
import { fromDist } from './paths.ts'
import { patienceMs } from './patience.ts'
import type { AccessRecord, RunningSentinel } from './sentinel.ts'
import { deadPort } from './upstream.ts'

/** What became of one request, as its client saw it. */
export interface Outcome {
  readonly id: string
  /** 0: no answer, or half of one. */
  readonly status: number
  /** Of the error, when there was one. */
  readonly error: string
  /** When it was sent, on the clock of `performance`. */
  readonly sentMs: number
  readonly ms: number
}

export interface Load {
  readonly outcomes: readonly Outcome[]
  /** Sends no more, and resolves when everything has been answered or has failed. */
  stop (): Promise<readonly Outcome[]>
}

export interface LoadOptions {
  readonly port: number
  readonly perSecond: number
  /** Beginning of the path; an id follows. */
  readonly path?: string
  /** Every so many requests is a POST with a body. */
  readonly postEvery?: number
  /** Longer than any time-out of the proxy: a request that takes it hangs. */
  readonly hangMs?: number
}

let runs = 0

/** Requests at a rate that nothing slows down, each with an id in its path. */
export function startLoad ({ port, perSecond, path = '/', postEvery = 0, hangMs = 60_000 }: LoadOptions): Load {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1_000 })
  const outcomes: Outcome[] = []
  const open = new Set<Promise<void>>()
  const run = ++runs
  const beganMs = performance.now()
  let sent = 0
  const timer = setInterval(() => {
    const due = Math.floor((performance.now() - beganMs) / 1000 * perSecond)
    for (; sent < due; sent++) {
      const id = `${run}-${sent}`
      const asked = ask({ agent, port, path: `${path}${id}`, post: postEvery > 0 && sent % postEvery === 0, hangMs })
        .then((outcome) => { outcomes.push({ id, ...outcome }) })
      open.add(asked)
      void asked.finally(() => open.delete(asked))
    }
  }, 5)
  return {
    outcomes,
    async stop () {
      clearInterval(timer)
      await Promise.all(open)
      agent.destroy()
      return outcomes
    },
  }
}

interface Asked {
  readonly agent: http.Agent
  readonly port: number
  readonly path: string
  readonly post: boolean
  readonly hangMs: number
}

function ask ({ agent, port, path, post, hangMs }: Asked): Promise<Omit<Outcome, 'id'>> {
  const startedMs = performance.now()
  return new Promise((resolve) => {
    let status = 0
    let done = false
    const end = (error: string): void => {
      if (done) return
      done = true
      clearTimeout(timer)
      resolve({ status: error === '' ? status : 0, error, sentMs: startedMs, ms: performance.now() - startedMs })
    }
    const request = http.request({ agent, port, path, method: post ? 'POST' : 'GET' }, (response) => {
      status = response.statusCode!
      response.resume()
      response.on('end', () => end(response.complete ? '' : 'CUT'))
      response.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? 'CUT'))
      response.on('close', () => end('CUT'))
    })
    const timer = setTimeout(() => {
      end('HANGS')
      request.destroy()
    }, hangMs)
    request.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message))
    request.end(post ? 'x'.repeat(2_000) : undefined)
  })
}

/**
 * Nothing is unaccounted for: no request hangs, and each one that was not served has a line in the log that says why.
 *
 * @param mayLose Lines that went with processes that were killed: the log gathers them for 20 ms.
 */
export async function accountFor (sentinel: RunningSentinel, outcomes: readonly Outcome[], path = '/', mayLose = 0): Promise<void> {
  const hanging = outcomes.filter(({ error }) => error === 'HANGS')
  assert.deepEqual(hanging.map(({ id }) => id), [], 'no request hangs')
  // One that was cut off may have no line, and the last that a killed worker answered has lost its own: another one is asked behind them.
  const last = mayLose === 0 ? outcomes.findLast(({ status }) => status !== 0)?.id ?? outcomes.at(-1)!.id : 'behind'
  if (mayLose > 0) await sentinel.get(`${path}behind`)
  await sentinel.accessed((record) => record.path === `${path}${last}`)
  const linesNow = (): ReadonlyMap<string, AccessRecord> => new Map(sentinel.access.map((record) => [record.path, record]))
  // Several workers write their lines each for themselves: the last one to be answered need not be the last one to be written.
  if (mayLose === 0) {
    await eventually('every answer has its line', () => {
      const lines = linesNow()
      return outcomes.every(({ id, status }) => status === 0 || lines.has(`${path}${id}`))
    })
  }
  const lines = linesNow()
  let missing = 0
  for (const { id, status, error } of outcomes) {
    const line = lines.get(`${path}${id}`)
    // A connection that had ended when the request was sent: nobody saw it but its client.
    if (line === undefined && status === 0) continue
    if (line === undefined) {
      assert.ok(++missing <= mayLose, `request ${id} (${status} ${error}) has no line in the log, and ${missing - 1} others have none`)
      continue
    }
    if (status !== 0) assert.equal(line.status, status, `request ${id}`)
    if (status >= 500 || status === 0) assert.ok(line.fault !== undefined && line.fault !== 'INTERNAL', `request ${id}: ${status} ${error}, fault ${line.fault}`)
  }
}

export interface Held {
  readonly descriptors: number
  readonly residentMb: number
}

export function heldBy (pid: number): Held {
  const rss = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return { descriptors: readdirSync(`/proc/${pid}/fd`).length, residentMb: Number(rss) / 1024 }
}

/** Nothing is kept: no exchange, no descriptors but a few pooled connections, and memory as before but for what a running program settles at. */
export async function leaksNothing (sentinel: RunningSentinel, before: Held, more = { descriptors: 150, mb: 60 }): Promise<void> {
  await eventually('no request is in flight', async () => /^sentinel_active_requests 0$/m.test(await sentinel.metrics()))
  let after = heldBy(sentinel.pid)
  // The slower the machine, the more connections a load needs at once: they are pooled until nobody has used them for a while.
  await eventually(`no more than ${before.descriptors + more.descriptors} descriptors`, () => {
    after = heldBy(sentinel.pid)
    return after.descriptors <= before.descriptors + more.descriptors
  })
  assert.ok(after.residentMb <= before.residentMb + more.mb, `${before.residentMb} MB became ${after.residentMb}`)
}

export function pause (ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Resolves with how long it took until a request was answered with 200. */
export async function recovers (sentinel: RunningSentinel, path = '/recovered', withinMs = patienceMs): Promise<number> {
  const startedMs = performance.now()
  for (;;) {
    const status = await sentinel.get(path).then((answer) => answer.status, () => 0)
    const ms = performance.now() - startedMs
    if (status === 200) return ms
    assert.ok(ms < withinMs, `no 200 within ${withinMs} ms, the last was ${status}`)
    await pause(50)
  }
}

/** An application in a process of its own, that can be stopped, killed and started anew on its port. */
export interface Application {
  readonly port: number
  readonly pid: () => number
  signal (signal: NodeJS.Signals): void
  /** Ends it, and resolves when it has. */
  kill (): Promise<void>
  start (): Promise<void>
}

export async function startApplication (t: TestContext): Promise<Application> {
  let child: ChildProcess
  // One that stays its own while the application is away.
  const port = await deadPort()
  const start = async (): Promise<void> => {
    child = spawn(process.execPath, [fromDist('test', 'support', 'chaos-application.js'), String(port)], { stdio: ['ignore', 'pipe', 'inherit'] })
    await new Promise<void>((resolve, reject) => {
      child.stdout!.once('data', () => resolve())
      child.once('exit', () => reject(new Error('the application ended')))
    })
  }
  await start()
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await gone
  }
  t.after(kill)
  return { port, pid: () => child.pid!, signal: (signal) => child.kill(signal), kill, start }
}
