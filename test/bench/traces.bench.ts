import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fromDist } from '../support/paths.ts'
import { usage } from './usage.ts'

/** What tracing costs: CPU of the proxy for each request, switched off and with different shares of requests, in turns so that all meet the same machine. */

const folder = mkdtempSync(join(tmpdir(), 'sentinel-bench-traces-'))
const agent = new http.Agent({ keepAlive: true, maxSockets: 32 })
const rounds = 6
const perRound = 6_000

/** Answers all with the same; as an upstream, and as a collector. */
async function listening (answer: (request: http.IncomingMessage, response: http.ServerResponse) => void): Promise<http.Server> {
  const server = http.createServer(answer)
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  return server
}

const portOf = (server: http.Server): number => (server.address() as AddressInfo).port

const upstream = await listening((_request, response) => response.end('hello'))
const collector = await listening((request, response) => request.on('end', () => response.end()).resume())

function configuration (tracing: string): string {
  return `listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" { target "127.0.0.1:${portOf(upstream)}" } }
observability { access-log { enabled #false }; metrics { address "127.0.0.1:0" }; ${tracing} }`
}

async function start (name: string, tracing: string): Promise<{ readonly child: ChildProcess, readonly port: number }> {
  const file = join(folder, `${name}.kdl`)
  writeFileSync(file, configuration(tracing))
  const child = spawn(process.execPath, [fromDist('proxy', 'main.js'), 'run', '-c', file], { stdio: ['ignore', 'ignore', 'pipe'] })
  for await (const line of createInterface({ input: child.stderr! })) {
    const { event, listeners } = JSON.parse(line) as { event?: string, listeners?: ReadonlyArray<{ readonly address: string }> }
    if (event === 'ready') {
      child.stderr!.resume()
      return { child, port: Number(listeners![0]!.address.split(':').at(-1)) }
    }
  }
  throw new Error(`${name} did not start`)
}

function ask (port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    http.get({ host: '127.0.0.1', port, agent, path: '/products/42?page=2' }, (response) => response.resume().on('end', resolve)).on('error', reject)
  })
}

async function load (port: number, requests: number): Promise<void> {
  let left = requests
  await Promise.all(Array.from({ length: 32 }, async () => {
    while (left-- > 0) await ask(port)
  }))
}

const traced = (share: number): string => `tracing { backend "otlp" { endpoint "http://127.0.0.1:${portOf(collector)}" }; sampling-rate ${share} }`
const subjects = await Promise.all(Object.entries({ 'off': '', 'of 0 %': traced(0), 'of 1 %': traced(0.01), 'of 100 %': traced(1) }).map(async ([name, tracing], i) => (
  { name, ...await start(String(i), tracing), us: [] as number[] }
)))
for (const { port } of subjects) await load(port, perRound)
for (let round = 0; round < rounds; round++) {
  for (const { child, port, us } of subjects) {
    const before = usage(child.pid!).proxyUs
    await load(port, perRound)
    us.push((usage(child.pid!).proxyUs - before) / perRound)
  }
}
for (const { name, us, child } of subjects) {
  const sorted = us.toSorted((a, b) => a - b)
  process.stdout.write(`traces ${name.padEnd(9)} ${sorted[Math.floor(sorted.length / 2)]!.toFixed(1).padStart(6)} us of CPU for each request (${sorted[0]!.toFixed(1)} to ${sorted.at(-1)!.toFixed(1)})\n`)
  child.kill('SIGTERM')
}
agent.destroy()
upstream.close()
collector.close()
rmSync(folder, { recursive: true })
