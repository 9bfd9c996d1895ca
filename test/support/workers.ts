import { setTimeout as delay } from 'node:timers/promises'
import http from 'node:http'
import { patienceMs } from './patience.ts'
import type { RunningSentinel } from './sentinel.ts'
import { request } from './request.ts'

export interface WorkerStatus {
  readonly number: number
  readonly pid: number
  readonly state: string
  readonly connections: number
}

/** What `/status` says of the workers. */
export async function workersOf (sentinel: RunningSentinel): Promise<readonly WorkerStatus[]> {
  const { text } = await request(sentinel.metricsPort(), '/status')
  return (JSON.parse(text) as { workers?: readonly WorkerStatus[] }).workers ?? []
}

/** Resolves when `test` accepts what comes of `look`. */
export async function eventually<T> (look: () => Promise<T> | T, test: (value: T) => boolean, withinMs = patienceMs): Promise<T> {
  const until = performance.now() + withinMs
  for (;;) {
    const value = await look()
    if (test(value)) return value
    if (performance.now() > until) throw new Error(`waited ${withinMs} ms in vain; last: ${JSON.stringify(value)}`)
    await delay(25)
  }
}

export function isAlive (pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** The sum of all series of a metric. */
export function total (metrics: string, name: string, labels = ''): number {
  const lines = metrics.split('\n').filter((line) => (line.startsWith(`${name}{`) || line.startsWith(`${name} `)) && line.includes(labels))
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
}

export interface Traffic {
  /** Status of each answer. */
  readonly statuses: readonly number[]
  /** Requests that were cut off. */
  readonly cut: number
  stop (): Promise<void>
}

/** So many clients that ask one after the other, over connections that stay open. */
export function startTraffic (port: number, clients: number): Traffic {
  const agent = new http.Agent({ keepAlive: true, maxSockets: clients })
  const statuses: number[] = []
  let cut = 0
  let running = true
  const one = async (): Promise<void> => {
    while (running) {
      try {
        statuses.push((await request(port, '/', { agent })).status)
      } catch {
        cut++
      }
    }
  }
  const all = Promise.all(Array.from({ length: clients }, one))
  return {
    statuses,
    get cut () { return cut },
    async stop () {
      running = false
      await all
      agent.destroy()
    },
  }
}
