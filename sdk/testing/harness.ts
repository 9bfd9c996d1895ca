import {
  decodeConfigureRequest, decodeConfigureResponse, decodeDescribeResponse, decodeFromAgent, decodeToAgent, encodeConfigureRequest,
  encodeConfigureResponse, encodeDescribeResponse, encodeFromAgent, encodeToAgent, type DescribeResponse, type Event,
} from '../../proto/codec/index.ts'
import type { Agent, ConfigProblem } from '../definition.ts'
import type { HeadersInit } from '../headers.ts'
import type { Log } from '../log.ts'
import { Program } from '../program.ts'
import { AgentStream } from '../stream.ts'
import { TestExchange } from './exchange.ts'
import type { Verdict } from './verdict.ts'

export interface TestAgentOptions {
  /** The `config {}` block as JSON. */
  readonly config?: unknown
}

/** Text, bytes, or the pieces in which a streamed body arrives. */
export type TestBody = string | Uint8Array | readonly (string | Uint8Array)[]

export interface TestRequestInit {
  readonly headers?: HeadersInit
  readonly body?: TestBody
  /** Client address; 192.0.2.1 unless given. */
  readonly ip?: string
  readonly route?: string
  /** What earlier agents of the chain attached. */
  readonly attributes?: Readonly<Record<string, string>>
  /** How the operator has the body sent, when the agent does not ask for it in another way. As the agent wishes unless given. */
  readonly bodyMode?: 'buffer' | 'stream'
  /** Deadline of each event, and when a test gives up waiting; 5 s unless given. */
  readonly timeoutMs?: number
}

export interface TestResponseInit {
  readonly headers?: HeadersInit
  readonly body?: TestBody
  readonly upstream?: string
  readonly bodyMode?: 'buffer' | 'stream'
}

export interface TestMessageInit {
  readonly from?: 'client' | 'upstream'
  readonly binary?: boolean
}

export interface LogRecord {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

export interface TestAgent {
  readonly description: DescribeResponse
  /** Everything the agent logged. */
  readonly log: readonly LogRecord[]
  /** Exchanges the agent keeps something of. */
  readonly open: number
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
export async function testAgent (agent: Agent, { config = {} }: TestAgentOptions = {}): Promise<TestAgent> {
  const records: LogRecord[] = []
  const program = new Program(agent, recordingLog(records))
  const exchanges = new Map<number, TestExchange>()
  const stream = new AgentStream(program, (message) => {
    for (const reply of decodeFromAgent(encodeFromAgent(message)).replies) exchanges.get(reply.exchange)?.receive(reply)
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
    const id = ++last
    const link = { id, description, send, isOpen: () => stream.has(id), forget: () => exchanges.delete(id) }
    const exchange = new TestExchange(link, method, url, init)
    exchanges.set(id, exchange)
    exchange.begin()
    return exchange
  }
  return {
    description,
    log: records,
    get open () { return program.open },
    start,
    configure,
    close: () => stream.close(),
    async request (method, url, init) {
      const exchange = start(method, url, init)
      const verdict = await exchange.verdict
      const goesOn = (['response_headers', 'websocket_message'] as const).some((event) => description.events.includes(event))
      const isOver = agent.definition.onComplete === undefined && !goesOn
      if (isOver) await exchange.complete()
      return Object.assign(exchange, verdict)
    },
  }
}

function recordingLog (records: LogRecord[]): Log {
  const line = (level: LogRecord['level']): Log['info'] => (fields, message = '') => {
    records.push(typeof fields === 'string' ? { level, message: fields, fields: {} } : { level, message, fields })
  }
  return { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') }
}
