import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import type { TestContext } from 'node:test'
import { Worker } from 'node:worker_threads'
import { atEnd } from './at-end.ts'
import type { AttackName } from './h2-attacks.ts'
import { fromDist } from './paths.ts'
import { patienceMs } from './patience.ts'
import { startSentinel, type RunningSentinel } from './sentinel.ts'
import { httpUpstream } from './upstream.ts'
import { oneOfThree } from './within.ts'

/** What others noticed of an attack on the real program. */
export interface Siege {
  /** Milliseconds that half of the ordinary requests on other connections took at most, and 19 of 20. */
  readonly medianMs: number
  readonly slowMs: number
  readonly requests: number
  /** How much larger the process was at its largest than before. */
  readonly grownMiB: number
  /** What the attacker was told by GOAWAY, and "closed" for each connection that ended. */
  readonly ends: readonly string[]
  /** Processor time of the program, in milliseconds of each second. */
  readonly busyMs: number
}

export interface SiegeOptions {
  readonly ms?: number
  /** It goes on until the attacker was told this. */
  readonly until?: string
}

export interface Fortress {
  readonly sentinel: RunningSentinel
  /** Lets one client attack the program for a while, while others ask for something now and then. */
  besiege (name: AttackName, options?: SiegeOptions): Promise<Siege>
}


/** The program with settings of its own in its listener, warm: the heap has its size, and the code is compiled, before anything is measured. */
export async function fortress (t: TestContext, listener = ''): Promise<Fortress> {
  const upstream = await httpUpstream(t, (_, response) => response.end('hello'))
  // What the attacker asks for comes from somebody else: it is the proxy that is measured, not how its neighbours share a thread.
  const other = new Worker(fromDist('test', 'support', 'h2-attacked-upstream.js'))
  atEnd(t, () => other.terminate())
  const otherPort = await new Promise<number>((resolve) => { other.once('message', resolve) })
  const sentinel = await startSentinel(t, `
    listeners { listener "web" { address "127.0.0.1:0"; protocol "h2"; ${listener} } }
    routes { route "all" { matches { path-prefix "/" }; upstream "app" }; route "ordinary" { priority 100; matches { path "/ordinary" }; upstream "ordinary" } }
    upstreams { upstream "app" { target "127.0.0.1:${otherPort}" }; upstream "ordinary" { target "127.0.0.1:${upstream.port}" } }
    observability { metrics { address "127.0.0.1:0" }; access-log { enabled #false } }
  `)
  for (let round = 0; round < 30; round++) await Promise.all(Array.from({ length: 50 }, () => fetchOnce(sentinel.port())))
  return { sentinel, besiege: (name, options = {}) => besiege(t, sentinel, name, options) }
}

async function besiege (t: TestContext, { port, pid }: RunningSentinel, name: AttackName, { ms = 600, until }: SiegeOptions): Promise<Siege> {
  const rssBefore = rssMiB(pid)
  const busyBefore = cpuMs(pid)
  const startedMs = performance.now()
  const ends: string[] = []
  const worker = new Worker(fromDist('test', 'support', 'h2-attacker.js'), { workerData: { name, port: port() } })
  worker.on('message', (end: string) => ends.push(end))
  atEnd(t, () => worker.terminate())
  await new Promise((resolve) => { worker.once('online', resolve) })
  const took: number[] = []
  let peak = rssBefore
  const goesOn = (elapsedMs: number): boolean => elapsedMs < ms || (until !== undefined && !ends.includes(until) && elapsedMs < patienceMs)
  while (goesOn(performance.now() - startedMs)) {
    const askedMs = performance.now()
    await fetchOnce(port())
    took.push(performance.now() - askedMs)
    peak = Math.max(peak, rssMiB(pid))
    await new Promise((resolve) => { setTimeout(resolve, 5) })
  }
  const busyMs = (cpuMs(pid) - busyBefore) / (performance.now() - startedMs) * 1000
  await worker.terminate()
  took.sort((a, b) => a - b)
  const at = (share: number): number => took[Math.floor(took.length * share)]!
  return { medianMs: at(0.5), slowMs: at(0.95), requests: took.length, grownMiB: peak - rssBefore, ends, busyMs }
}

/** What every attack has to leave as it was: other clients, and the memory of the program. */
export function assertHeld ({ medianMs, grownMiB, requests }: Siege): void {
  // The machine may be busy with other things: half of the requests have to be in time, and a proxy that serves one connection only delays all.
  assert.ok(medianMs < 50, `ordinary requests took ${medianMs.toFixed(1)} ms (${requests} of them)`)
  assert.ok(grownMiB < 20, `the program grew by ${grownMiB.toFixed(1)} MiB`)
}

/** Attacks, and how each connection of the attacker ends; `undefined`: it goes on. */
export type Attacks = ReadonlyArray<readonly [name: AttackName, end: string | undefined]>

/** One program, one attack after the other. */
export async function withstands (t: TestContext, attacks: Attacks): Promise<void> {
  const { besiege } = await fortress(t)
  for (const [name, end] of attacks) {
    await t.test(name, async () => {
      await oneOfThree(async () => {
        const siege = await besiege(name, end === undefined ? {} : { until: end })
        if (end !== undefined) assert.ok(siege.ends.includes(end), `the attacker was told ${JSON.stringify(siege.ends)}`)
        assertHeld(siege)
      })
    })
  }
}

function fetchOnce (port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    httpRequest({ host: '127.0.0.1', port, path: '/ordinary' }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`status ${response.statusCode}`))
      response.resume().on('end', resolve).on('error', reject)
    }).on('error', reject).end()
  })
}

function rssMiB (pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024
}

/** Of all its threads; the system counts in hundredths of a second. */
function cpuMs (pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}
