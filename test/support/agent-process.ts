import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { Client, credentials, Metadata, type ClientDuplexStream, type ClientReadableStream } from '@grpc/grpc-js'
import {
  agentService, decodeConfigureResponse, decodeFromAgent, decodeHealthCheckResponse, emptyRequestHeaders, encodeConfigureRequest, encodeHealthCheckRequest, encodeToAgent,
  healthService, type ConfigureResponse, type EventOneOf, type FromAgent, type HealthCheckResponse, type Reply, type ToAgent,
} from '../../proto/codec/index.ts'

// An agent as a process of its own, and a test that plays the proxy.

export type LogLine = Record<string, unknown>

export interface RunningProcess {
  readonly child: ChildProcessWithoutNullStreams
  /** Its exit code and signal; it may have ended before the last line of its log is read. */
  readonly ended: Promise<readonly [code: number | null, signal: NodeJS.Signals | null]>
  readonly log: { find (test: (line: LogLine) => boolean): Promise<LogLine> }
}

/** Starts an agent as a process of its own; its log is read. It is killed after the test. */
export function runAgent (t: TestContext, program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): RunningProcess {
  const child = spawn(process.execPath, [program, ...args], { env: { ...process.env, ...env } })
  child.stdout.resume()
  const ended = new Promise<readonly [number | null, NodeJS.Signals | null]>((resolve) => { child.once('exit', (code, signal) => resolve([code, signal])) })
  t.after(() => child.kill('SIGKILL'))
  const lines: LogLine[] = []
  const waiting: { test: (line: LogLine) => boolean, resolve: (line: LogLine) => void }[] = []
  const input = createInterface(child.stderr)
  input.on('line', (text) => {
    const line = JSON.parse(text) as LogLine
    lines.push(line)
    for (const w of waiting) if (w.test(line)) w.resolve(line)
  })
  return {
    child,
    ended,
    log: {
      async find (test) {
        const found = lines.find(test)
        return found ?? await Promise.race([
          new Promise<LogLine>((resolve) => waiting.push({ test, resolve })),
          once(input, 'close').then(() => lines.find(test) ?? Promise.reject(new Error(`not logged; the log is ${JSON.stringify(lines)}`))),
        ])
      },
    },
  }
}

/** The same, on a socket in a folder of its own, once it serves. */
export async function startAgent (t: TestContext, program: string, args: readonly string[] = [], env: Readonly<Record<string, string>> = {}) {
  const socket = join(temporaryFolder(t), 'made', 'agent.sock')
  const running = runAgent(t, program, args, { SENTINEL_SOCKET: socket, ...env })
  await running.log.find((line) => line['event'] === 'serving')
  return { ...running, socket, client: connectTo(t, `unix:${socket}`) }
}

/** Runs an agent that ends by itself. */
export async function outputOf (t: TestContext, program: string, args: readonly string[]): Promise<{ code: number, out: string, err: string }> {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  t.after(() => child.kill('SIGKILL'))
  let out = ''
  let err = ''
  child.stdout.on('data', (data: Buffer) => { out += data.toString() })
  child.stderr.on('data', (data: Buffer) => { err += data.toString() })
  const [code] = await once(child, 'close') as [number]
  return { code, out, err }
}

export function temporaryFolder (t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-sdk-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export function connectTo (t: TestContext, address: string): Client {
  const client = new Client(address, credentials.createInsecure())
  t.after(() => client.close())
  return client
}

export function unary<Q, A> (client: Client, path: string, write: (q: Q) => Buffer, read: (b: Buffer) => A, request: Q): Promise<A> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, write, read, request, (error, answer) => error || answer === undefined ? reject(error ?? new Error('no answer')) : resolve(answer))
  })
}

export function check (client: Client, service: string): Promise<HealthCheckResponse> {
  return unary(client, healthService.check, encodeHealthCheckRequest, decodeHealthCheckResponse, { service })
}

export function configure (client: Client, config: object, validateOnly = false): Promise<ConfigureResponse> {
  const request = { configJson: Buffer.from(JSON.stringify(config)), validateOnly, version: 'v' }
  return unary(client, agentService.configure, encodeConfigureRequest, decodeConfigureResponse, request)
}

export async function * statesOf (watch: ClientReadableStream<HealthCheckResponse>): AsyncGenerator<HealthCheckResponse> {
  watch.on('error', () => {})
  for await (const state of watch) yield state as HealthCheckResponse
}

export type Event = ToAgent['events'][number]

export function headersOf (exchange: number, path: string, hasBody = false): Event {
  const kind: EventOneOf = { kind: 'request_headers', value: { ...emptyRequestHeaders, method: 'GET', path, rawPath: path, hasBody } }
  return { exchange, sequence: 1, timeoutMs: 60_000, ...kind }
}

export function openStream (t: TestContext, client: Client) {
  const call: ClientDuplexStream<ToAgent, FromAgent> = client.makeBidiStreamRequest(agentService.process, encodeToAgent, decodeFromAgent, new Metadata())
  const messages: FromAgent[] = []
  const waiting = new Map<string, (reply: Reply) => void>()
  call.on('error', () => {})
  call.on('data', (message: FromAgent) => {
    messages.push(message)
    for (const reply of message.replies) waiting.get(`${reply.exchange}/${reply.sequence}`)?.(reply)
  })
  t.after(() => call.cancel())
  const reply = (exchange: number, sequence: number) => new Promise<Reply>((resolve) => waiting.set(`${exchange}/${sequence}`, resolve))
  const send = (...events: Event[]): void => { call.write({ events }) }
  return {
    messages,
    send,
    reply,
    ask (exchange: number, path: string, hasBody = false): Promise<Reply> {
      const answer = reply(exchange, 1)
      send(headersOf(exchange, path, hasBody))
      return answer
    },
  }
}

export function kindOf (reply: Reply): string | undefined {
  return reply.kind === 'decision' ? reply.value.kind : reply.kind
}

export function errorOf (reply: Reply): string | undefined {
  return reply.kind === 'error' ? reply.value.code : reply.kind
}
