import {
  decodeConfigureRequest, decodeConfigureResponse, decodeDescribeResponse, decodeFromAgent, decodeToAgent, encodeConfigureRequest,
  encodeConfigureResponse, encodeDescribeResponse, encodeToAgent, type DescribeResponse, type Event,
} from '../../proto/codec/index.ts'
import { checkAgent } from '../check-definition.ts'
import type { Agent, ConfigProblem } from '../definition.ts'
import { encodeReplies } from '../encode-replies.ts'
import type { HeadersInit } from '../headers.ts'
import type { Log } from '../log.ts'
import { Program } from '../program.ts'
import type { Store } from '../store/store.ts'
import { AgentStream } from '../stream.ts'
import { checkAgentOptions, checkRequest } from './check-options.ts'
import { TestExchange } from './exchange.ts'
import { realClock, type TestClock } from './fake-clock.ts'
import type { Verdict } from './verdict.ts'

/** What an agent under test is given. */
export interface TestAgentOptions {
  /** The `config {}` block as JSON. */
  readonly config?: unknown
  /** Time for it and for the test: `fakeClock()` stands still until the test moves it. That of the machine unless given. */
  readonly clock?: TestClock
}

/** Text, bytes, or the pieces in which a streamed body arrives. */
export type TestBody = string | Uint8Array | readonly (string | Uint8Array)[]

/** A request of a test. */
export interface TestRequestInit {
  /** Header fields; `Host` is added from the URL when it is missing. */
  readonly headers?: HeadersInit
  /** The body; none unless given. */
  readonly body?: TestBody
  /** Fields behind the body. */
  readonly trailers?: HeadersInit
  /** Client address; 192.0.2.1 unless given. */
  readonly ip?: string
  /** Name of the route; "test" unless given. */
  readonly route?: string
  /** What earlier agents of the chain attached. */
  readonly attributes?: Readonly<Record<string, string>>
  /** How the operator has the body sent, when the agent does not ask for it in another way. As the agent wishes unless given. */
  readonly bodyMode?: 'buffer' | 'stream'
  /** Deadline of each event, and when a test gives up waiting; 5 s unless given. */
  readonly timeoutMs?: number
  /** How far an agent that asks for more time may have a deadline moved, from its event on; as far as it likes unless given. */
  readonly maxTimeoutMs?: number
}

/** An answer of a test. */
export interface TestResponseInit {
  /** Header fields of the answer. */
  readonly headers?: HeadersInit
  /** Body of the answer; none unless given. */
  readonly body?: TestBody
  /** Fields behind the body. */
  readonly trailers?: HeadersInit
  /** Name of the upstream; "test" unless given. */
  readonly upstream?: string
  /** How the operator has the body sent; as the agent wishes unless given. */
  readonly bodyMode?: 'buffer' | 'stream'
}

/** What calls and results of tools have in common. */
export interface TestTool {
  /** "1" unless given. */
  readonly id?: string
  /** "mcp" unless given. */
  readonly protocol?: string
  /** "test" unless given. */
  readonly server?: string
}

/** A call of a tool in a test. */
export interface TestToolCall extends TestTool {
  /** Its name. */
  readonly tool: string
  /** Sent as JSON; none unless given. */
  readonly arguments?: unknown
}

/** What came of a call, in a test. */
export interface TestToolResult extends TestTool {
  /** Its name; unknown unless given. */
  readonly tool?: string
  /** Sent as JSON. */
  readonly result: unknown
  /** Whether it failed. */
  readonly isError?: boolean
}

/** Texts for an agent to look through, in a test. */
export interface TestInspection {
  /** What is looked for. */
  readonly inspection: 'prompt_injection' | 'pii'
  /** A bare text is one of the user. */
  readonly texts: readonly (string | { readonly role: string, readonly text: string })[]
  /** Kinds that are wanted; all unless given. */
  readonly categories?: readonly string[]
  /** The model that the request names. */
  readonly model?: string
}

/** A message of a WebSocket in a test. */
export interface TestMessageInit {
  /** Who sends it; the client unless given. */
  readonly from?: 'client' | 'upstream'
  /** Whether it is one of bytes. */
  readonly binary?: boolean
}

/** A line that the agent logged. */
export interface LogRecord {
  /** How serious it is. */
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  /** Its text. */
  readonly message: string
  /** Everything else it says. */
  readonly fields: Readonly<Record<string, unknown>>
}

/** An agent under test. */
export interface TestAgent {
  /** What it says of itself to the proxy. */
  readonly description: DescribeResponse
  /** Everything the agent logged. */
  readonly log: readonly LogRecord[]
  /** Exchanges the agent keeps something of. */
  readonly open: number
  /** What the handlers know as `context.store`: in memory, and empty at first. */
  readonly store: Store
  /** Resolves when everything that was given to `waitUntil` has ended. */
  settled (): Promise<void>
  /** Sends a request through the agent, up to the point where it would go to the upstream. `url`: "/path?query" or absolute. */
  request (method: string, url: string, init?: TestRequestInit): Promise<TestExchange & Verdict>
  /** The same, for tests that act while the agent is still thinking. */
  start (method: string, url: string, init?: TestRequestInit): TestExchange
  /** Sends another configuration; gives the problems for which it was refused. */
  configure (config: unknown, options?: { readonly validateOnly?: boolean, readonly version?: string }): Promise<readonly ConfigProblem[]>
  /** The connection to the proxy breaks. */
  close (): void
}

/** Runs an agent in this process, fed by what a proxy would send, byte for byte. Rejects when it refuses `config`. */
export async function testAgent (agent: Agent, options: TestAgentOptions = {}): Promise<TestAgent> {
  checkAgent(agent)
  checkAgentOptions(options)
  const { config = {}, clock = realClock } = options
  const records: LogRecord[] = []
  const program = new Program(agent, recordingLog(records), { now: clock.now })
  const exchanges = new Map<number, TestExchange>()
  const stream = new AgentStream(program, (message) => {
    for (const reply of decodeFromAgent(encodeReplies(message)).replies) exchanges.get(reply.exchange)?.receive(reply)
  })
  const send = (event: Event): void => stream.receive(decodeToAgent(encodeToAgent({ events: [event] })))
  let version = 0
  let last = 0

  const configure: TestAgent['configure'] = async (json, { validateOnly = false, version: name = `test-${++version}` } = {}) => {
    const request = encodeConfigureRequest({ configJson: Buffer.from(JSON.stringify(json)), validateOnly, version: name })
    const response = await program.configure(decodeConfigureRequest(request))
    return decodeConfigureResponse(encodeConfigureResponse(response)).problems
  }
  const problems = await configure(config)
  if (problems.length > 0) {
    throw new Error(`the agent refuses its configuration:\n${problems.map((p) => `${p.path.join(' ')}: ${p.message}`).join('\n')}`)
  }

  const described = program.describe({ protocolVersions: [1], proxy: 'test', agentId: 'test' })
  const description = decodeDescribeResponse(encodeDescribeResponse(described))
  const start: TestAgent['start'] = (method, url, init = {}) => {
    checkRequest(method, init)
    const id = ++last
    const link = { id, description, clock, send, isOpen: () => stream.has(id), forget: () => exchanges.delete(id) }
    const exchange = new TestExchange(link, method, url, init)
    exchanges.set(id, exchange)
    exchange.begin()
    return exchange
  }
  return {
    description,
    log: records,
    get open () { return program.open },
    store: program.store,
    settled: () => program.background.idle(),
    start,
    configure,
    close: () => stream.close(),
    async request (method, url, init) {
      const exchange = start(method, url, init)
      const verdict = await exchange.verdict
      const { onComplete, concerns } = agent.definition
      const isOver = onComplete === undefined && concerns === undefined && !description.events.some((event) => more.has(event))
      if (isOver) await exchange.complete()
      return Object.assign(exchange, verdict)
    },
  }
}

/** Events that may come when a request was decided. */
const more: ReadonlySet<string> = new Set(['response_headers', 'websocket_message', 'tool_call', 'tool_result', 'guardrail'])

function recordingLog (records: LogRecord[]): Log {
  const line = (level: LogRecord['level']): Log['info'] => (fields, message = '') => {
    records.push(typeof fields === 'string' ? { level, message: fields, fields: {} } : { level, message, fields })
  }
  return { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') }
}
