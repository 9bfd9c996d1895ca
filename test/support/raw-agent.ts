import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Http2Session, type ServerHttp2Stream } from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import {
  agentService, decodeConfigureRequest, decodeDescribeRequest, decodeToAgent, emptyDecision, emptyDescribeResponse, encodeConfigureResponse, encodeDescribeResponse, encodeFromAgent,
  encodeHealthCheckResponse, frame,
  FrameDecoder, healthService, type ConfigureRequest, type ConfigureResponse, type Decision, type DecisionOneOf, type DescribeRequest, type DescribeResponse, type Event, type ReplyOneOf,
} from '../../proto/codec/index.ts'

/** The agent's end of a Process stream, to say whatever a program can say, right or wrong. */
export interface Wire {
  readonly session: Http2Session
  readonly stream: ServerHttp2Stream
  reply (event: Pick<Event, 'exchange' | 'sequence'>, reply: ReplyOneOf): void
  /** Bytes as they are, framed or not. */
  raw (bytes: Buffer): void
}

export interface Script {
  describe?: Partial<DescribeResponse> | ((request: DescribeRequest) => Partial<DescribeResponse>)
  configure?: (request: ConfigureRequest) => ConfigureResponse | Promise<ConfigureResponse>
  /** Called for every event; allows what awaits an answer when absent. */
  onEvent?: (event: Event, wire: Wire) => void
  /** What it answers to Health/Check; undefined: nothing. Without this it has no such service. */
  check?: () => 'serving' | 'not_serving' | { readonly status: number, readonly message: string } | undefined
  /** Calls it takes at a time, all kinds together. */
  maxCalls?: number
  /** In place of a proper Process stream. */
  onProcess?: (stream: ServerHttp2Stream, session: Http2Session) => void
}

export interface RawAgent {
  readonly path: string
  readonly events: Event[]
  readonly configured: ConfigureRequest[]
  readonly sessions: Set<Http2Session>
  /** Can be changed while it runs. */
  script: Script
  /** Resolves when an event that fits was received, or was already. */
  seen (fits: (event: Event) => boolean): Promise<Event>
  /** Those who watch its health. */
  readonly watchers: ReadonlySet<ServerHttp2Stream>
  /** Tells everybody who watches its health. Until the first call it has no health service. */
  sayHealth (serving: boolean): void
  /** As kill -9: all connections break, nobody listens. */
  kill (): Promise<void>
  /** Listens again on the same path. */
  start (): Promise<void>
}

const headersOnly: DescribeResponse = { ...emptyDescribeResponse, name: 'raw', version: '1', protocolVersion: 1, events: ['request_headers', 'complete'] }

/** For `describe`: all events that filters of this version have. */
export const everything: DescribeResponse = {
  ...headersOnly,
  events: ['request_headers', 'request_body', 'request_trailers', 'response_headers', 'response_body', 'response_trailers', 'complete'],
}

export function decision (kind: DecisionOneOf, rest: Partial<Decision> = {}): ReplyOneOf {
  // Both halves of the union come from one of its members.
  return { kind: 'decision', value: { ...emptyDecision, ...rest, ...kind } as Decision }
}

export const allow = decision({ kind: 'allow', value: {} })

/** An agent without SDK and without manners, on a Unix socket of its own. Ends with the test. */
export async function rawAgent (t: TestContext, script: Script = {}): Promise<RawAgent> {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-raw-'))
  const path = join(folder, 'agent.sock')
  const waiting = new Set<{ fits: (event: Event) => boolean, found: (event: Event) => void }>()
  let server = createServer()
  let health: Buffer | undefined
  const watchers = new Set<ServerHttp2Stream>()
  const watch = (stream: ServerHttp2Stream): void => {
    if (health === undefined) return stream.respond({ ...headers, 'grpc-status': '12' }, { endStream: true })
    watchers.add(stream)
    stream.on('close', () => watchers.delete(stream))
    stream.respond(headers)
    stream.write(frame(health))
  }
  const check = (stream: ServerHttp2Stream): void => {
    if (agent.script.check === undefined) return stream.respond({ ...headers, 'grpc-status': '12' }, { endStream: true })
    const status = agent.script.check()
    if (status === undefined) return
    if (typeof status === 'object') return stream.respond({ ...headers, 'grpc-status': String(status.status), 'grpc-message': status.message }, { endStream: true })
    stream.respond(headers, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    stream.end(frame(encodeHealthCheckResponse({ status })))
  }
  const agent: RawAgent = {
    path,
    watchers,
    events: [],
    configured: [],
    sayHealth (serving) {
      health = encodeHealthCheckResponse({ status: serving ? 'serving' : 'not_serving' })
      for (const watcher of watchers) watcher.write(frame(health))
    },
    sessions: new Set(),
    script,
    seen (fits) {
      const before = agent.events.find(fits)
      return before === undefined ? new Promise((found) => waiting.add({ fits, found })) : Promise.resolve(before)
    },
    async kill () {
      for (const session of agent.sessions) session.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
    start () {
      server = createServer({ settings: { initialWindowSize: 1024 * 1024, ...agent.script.maxCalls === undefined ? {} : { maxConcurrentStreams: agent.script.maxCalls } } })
      server.on('session', (session) => {
        agent.sessions.add(session)
        session.on('error', () => {})
        session.on('close', () => agent.sessions.delete(session))
      })
      server.on('stream', (stream, headers) => {
        stream.on('error', () => {})
        const { session } = stream
        if (headers[':path'] === healthService.check) check(stream)
        else if (headers[':path'] === healthService.watch) watch(stream)
        else if (headers[':path'] === agentService.report) stream.respond(unimplemented, { endStream: true })
        else if (headers[':path'] !== agentService.process) unary(agent, stream, headers[':path'] ?? '')
        else if (agent.script.onProcess !== undefined) agent.script.onProcess(stream, session!) // A stream that was just opened has one.
        else process(agent, stream, session!, note)
      })
      return new Promise<void>((resolve) => server.listen(path, resolve))
    },
  }
  const note = (event: Event): void => {
    agent.events.push(event)
    for (const waiter of waiting) {
      if (!waiter.fits(event)) continue
      waiting.delete(waiter)
      waiter.found(event)
    }
  }
  t.after(async () => {
    await agent.kill()
    rmSync(folder, { recursive: true, force: true })
  })
  await agent.start()
  return agent
}

const headers = { ':status': 200, 'content-type': 'application/grpc' }
const unimplemented = { ...headers, 'grpc-status': '12' }

function unary (agent: RawAgent, stream: ServerHttp2Stream, path: string): void {
  const frames = new FrameDecoder(16 * 1024 * 1024)
  stream.on('data', async (data: Buffer) => {
    for (const message of frames.push(data)) {
      let answer: Buffer
      if (path === agentService.describe) {
        const { describe } = agent.script
        answer = encodeDescribeResponse({ ...headersOnly, ...typeof describe === 'function' ? describe(decodeDescribeRequest(message)) : describe })
      } else {
        const request = decodeConfigureRequest(message)
        agent.configured.push({ ...request, configJson: Buffer.from(request.configJson) })
        answer = encodeConfigureResponse(await agent.script.configure?.(request) ?? { accepted: true, problems: [] })
      }
      if (stream.destroyed) return
      stream.respond(headers, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
      stream.end(frame(answer))
    }
  })
}

function process (agent: RawAgent, stream: ServerHttp2Stream, session: Http2Session, note: (event: Event) => void): void {
  const frames = new FrameDecoder(64 * 1024 * 1024)
  const wire: Wire = {
    session,
    stream,
    reply: (event, reply) => { stream.write(frame(encodeFromAgent({ replies: [{ exchange: event.exchange, sequence: event.sequence, ...reply }] }))) },
    raw: (bytes) => { stream.write(bytes) },
  }
  stream.respond(headers, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
  stream.on('end', () => stream.end())
  stream.on('data', (data: Buffer) => {
    for (const message of frames.push(data)) {
      for (const event of decodeToAgent(Buffer.from(message)).events) {
        note(event)
        if (agent.script.onEvent !== undefined) agent.script.onEvent(event, wire)
        else if (event.timeoutMs > 0) wire.reply(event, allow)
      }
    }
  })
}
