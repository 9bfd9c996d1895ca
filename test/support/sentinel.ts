import { spawn, type ChildProcess } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { atEnd } from './at-end.ts'
import { fromDist } from './paths.ts'
import { patienceMs } from './patience.ts'
import { request, type Answer, type RequestInit } from './request.ts'

export interface LogRecord {
  readonly level: number
  readonly event?: string
  readonly code?: string
  readonly msg?: string
  readonly agent?: string
  readonly [field: string]: unknown
}

/** A line of the access log, as far as tests look at it. */
export interface AccessRecord {
  readonly request_id: string
  readonly path: string
  readonly status: number
  readonly route?: string
  readonly fault?: string
  readonly client_ip?: string
  readonly agents?: ReadonlyArray<Readonly<Record<string, unknown>>>
  readonly [field: string]: unknown
}

/** The real program, in a process of its own. */
export interface RunningSentinel {
  readonly process: ChildProcess
  readonly pid: number
  /** Folder of the configuration; removed after the test. */
  readonly folder: string
  readonly file: string
  readonly log: readonly LogRecord[]
  readonly access: readonly AccessRecord[]
  /** Everything on stdout that is not an access log line. */
  readonly screen: () => string
  readonly port: (listener?: string) => number
  readonly metricsPort: () => number
  readonly request: (path: string, init?: RequestInit) => Promise<Answer>
  readonly get: (path: string, init?: RequestInit) => Promise<Answer>
  readonly metrics: () => Promise<string>
  /** Resolves with the first log record, old or new, that `test` accepts. */
  readonly logged: (test: (record: LogRecord) => boolean) => Promise<LogRecord>
  readonly accessed: (test: (record: AccessRecord) => boolean) => Promise<AccessRecord>
  /** Writes the configuration anew and sends SIGHUP; resolves with the record that tells how it went. */
  readonly reload: (kdl: string) => Promise<LogRecord>
  /** Process ids of the agents that are running now. */
  readonly agentPids: () => Record<string, number>
  readonly stop: (signal?: NodeJS.Signals) => Promise<number | null>
}

interface StartOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Of Node. */
  readonly flags?: readonly string[]
  /** Of the folder of the configuration, which others may not enter without it. */
  readonly folderMode?: number
  /** Other files to put beside the configuration. */
  readonly files?: Readonly<Record<string, string>>
}

/** Starts `sentinel run` on a configuration and resolves when it serves. It is stopped, and its folder removed, after the test. */
export async function startSentinel (t: TestContext, kdl: string, options: StartOptions = {}): Promise<RunningSentinel> {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-test-'))
  if (options.folderMode !== undefined) chmodSync(folder, options.folderMode)
  const file = join(folder, 'sentinel.kdl')
  writeFileSync(file, kdl)
  for (const [name, text] of Object.entries(options.files ?? {})) writeFileSync(join(folder, name), text)
  const child = spawn(process.execPath, [...options.flags ?? [], fromDist('proxy', 'main.js'), 'run', '-c', file], {
    cwd: folder, env: { ...process.env, ...options.env }, stdio: ['ignore', 'pipe', 'pipe'],
  })
  const log = collector<LogRecord>()
  const access = collector<AccessRecord>()
  let screen = ''
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  eachJson(child.stderr, log.add, (line) => log.add({ level: 0, msg: line }))
  eachJson(child.stdout, access.add, (line) => { screen += line + '\n' })

  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal)
    return exited
  }
  atEnd(t, async () => {
    // What the test left open is cut off, and not waited for as long as a stop would.
    const timers = [setTimeout(() => child.kill('SIGQUIT'), 1_000), setTimeout(() => child.kill('SIGKILL'), patienceMs)]
    await stop()
    timers.forEach(clearTimeout)
    rmSync(folder, { recursive: true, force: true })
  })

  const ready = await Promise.race([
    log.wait((record) => record.event === 'ready', patienceMs),
    exited.then((code) => { throw new Error(`sentinel exited with ${code} before it served:\n${log.items.map((r) => JSON.stringify(r)).join('\n')}\n${screen}`) }),
  ])
  const addresses = ready['listeners'] as ReadonlyArray<{ id: string, address: string }>
  const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(':') + 1))
  const port = (listener?: string): number => portOf((addresses.find(({ id }) => listener === undefined || id === listener))!.address)
  const send = (path: string, init: RequestInit = {}): Promise<Answer> => request(port(), path, init)
  const metricsPort = (): number => portOf(ready['metrics'] as string)

  return {
    process: child, pid: child.pid!, folder, file,
    log: log.items, access: access.items, screen: () => screen,
    port, metricsPort, request: send, get: send,
    metrics: async () => (await request(metricsPort(), '/metrics')).text,
    logged: (test) => log.wait(test),
    accessed: (test) => access.wait(test),
    reload: async (text) => {
      writeFileSync(file, text)
      const before = log.items.length
      child.kill('SIGHUP')
      return log.wait((record) => record.event === 'reloaded' || record.event === 'reload-failed', patienceMs, before)
    },
    agentPids: () => {
      const pids: Record<string, number> = {}
      for (const record of log.items) {
        if (record.event === 'agent-started') pids[record.agent!] = record['pid'] as number
      }
      return pids
    },
    stop,
  }
}

/** Runs a command line of Sentinel to its end. */
export function runSentinel (args: readonly string[], options: { cwd?: string, env?: Record<string, string> } = {}):
Promise<{ code: number | null, stdout: string, stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [fromDist('proxy', 'main.js'), ...args], {
      cwd: options.cwd, env: { ...process.env, ...options.env }, stdio: ['ignore', 'pipe', 'pipe'],
    })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => { stdout += text })
    child.stderr.setEncoding('utf8').on('data', (text: string) => { stderr += text })
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, stdout, stderr }))
  })
}

/** Things that arrive, and promises of things that will. */
function collector<T> () {
  const items: T[] = []
  const waiting = new Set<() => void>()
  return {
    items,
    add (item: T): void {
      items.push(item)
      for (const look of waiting) look()
    },
    wait (test: (item: T) => boolean, timeoutMs = patienceMs, from = 0): Promise<T> {
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(look)
          reject(new Error(`waited ${timeoutMs} ms in vain; what came:\n${items.slice(-30).map((item) => JSON.stringify(item)).join('\n')}`))
        }, timeoutMs).unref() // The process that is waited for keeps the test alive.
        const look = (): void => {
          const found = items.slice(from).find(test)
          if (found === undefined) return
          clearTimeout(timer)
          waiting.delete(look)
          resolve(found)
        }
        waiting.add(look)
        look()
      })
    },
  }
}

function eachJson<T> (stream: NodeJS.ReadableStream, take: (record: T) => void, other: (line: string) => void): void {
  createInterface({ input: stream }).on('line', (line) => {
    if (!line.startsWith('{')) return other(line)
    let record: T
    try {
      record = JSON.parse(line) as T // The test says what the lines of its stream are.
    } catch {
      return other(line)
    }
    take(record)
  })
}
