import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fromDist } from '../support/paths.ts'

/**
 * What the access log costs the whole program, in one run: microseconds of processor time for a request, user and system, of the process that serves. The
 * configurations take turns, so that what the machine does besides meets all of them; the best turn of each counts.
 */

const requests = 10_000
const turns = 6
const pipelined = 20
const head = 'GET /products/42?page=2&sort=price HTTP/1.1\r\nHost: shop.test\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\r\n'
const template = '${client.ip} - - [${log.time-common}] \\"${request.method} ${request.uri} ${request.protocol}\\" ${response.status} ${response.bytes} \\"${request.header.referer}\\" \\"${request.header.user-agent}\\"'

const logs: Readonly<Record<string, string>> = {
  'no log': 'access-log { enabled #false }',
  'json': 'access-log { file "access.log" }',
  'eight fields': 'access-log { file "access.log"; fields "ts" "request_id" "client_ip" "method" "path" "status" "duration_ms" "route" }',
  'combined': 'access-log { file "access.log"; format "combined" }',
  'custom, as combined': `access-log { file "access.log"; format "custom"; template "${template}" }`,
  'json, one of a hundred': 'access-log { file "access.log"; sample-rate 0.01 }',
  'json, audit and error log': 'access-log { file "access.log" }; audit-log { file "audit.log" }; error-log { file "error.log" }',
}

const site = (log: string): string => `
listeners { listener "web" { address "127.0.0.1:0"; keepalive-max-requests 1000000 } }
routes { route "all" { matches { path-prefix "/" }; respond 200 "ok" } }
observability { metrics { enabled #false }; ${log} }
`

interface Subject {
  readonly child: ChildProcess
  readonly port: number
  best: number
}

function start (folder: string, log: string): Promise<Subject> {
  const file = join(folder, 'sentinel.kdl')
  writeFileSync(file, site(log))
  const child = spawn(process.execPath, [fromDist('proxy', 'main.js'), 'run', '-q', '-c', file], { stdio: ['ignore', 'ignore', 'pipe'] })
  let text = ''
  return new Promise((resolve) => {
    child.stderr.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      const [, port] = /"address":"127\.0\.0\.1:(\d+)"/.exec(text) ?? []
      if (port !== undefined) resolve({ child, port: Number(port), best: Infinity })
    })
  })
}

/** Processor time of a process and all its threads so far, in microseconds (schedstat counts nanoseconds, where stat counts hundredths of a second). */
function spent (pid: number): number {
  return readdirSync(`/proc/${pid}/task`).reduce((sum, task) => sum + Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]) / 1000, 0)
}

function ask ({ port }: Subject, count: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let left = count
    let open = 0
    const more = (): void => {
      const now = Math.min(pipelined, left)
      left -= now
      open = now
      socket.write(head.repeat(now))
    }
    socket.on('error', reject)
    socket.on('data', (chunk: Buffer) => {
      open -= chunk.toString('latin1').split('HTTP/1.1 200').length - 1
      if (open > 0) return
      if (left > 0) return more()
      socket.destroy()
      resolve()
    })
    more()
  })
}

const folders: string[] = []
const subjects = new Map<string, Subject>()
for (const [name, log] of Object.entries(logs)) {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-log-cost-'))
  folders.push(folder)
  subjects.set(name, await start(folder, log))
}
for (const subject of subjects.values()) await ask(subject, requests)
for (let turn = 0; turn < turns; turn++) {
  for (const subject of subjects.values()) {
    const before = spent(subject.child.pid!)
    await ask(subject, requests)
    subject.best = Math.min(subject.best, (spent(subject.child.pid!) - before) / requests)
  }
}
const none = subjects.get('no log')!.best
for (const [name, { best }] of subjects) process.stdout.write(`${name.padEnd(28)} ${best.toFixed(1).padStart(6)} µs a request ${name === 'no log' ? '' : `(+${(best - none).toFixed(1)})`}\n`)
for (const { child } of subjects.values()) child.kill('SIGTERM')
for (const folder of folders) rmSync(folder, { recursive: true, force: true })
