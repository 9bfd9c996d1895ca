import { readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { Server, ServerCredentials, type ServiceDefinition, type UntypedServiceImplementation } from '@grpc/grpc-js'
import {
  agentService, decodeAgentReport, decodeConfigureRequest, decodeConfigureResponse, decodeDescribeRequest, decodeDescribeResponse, decodeFromAgent,
  decodeHealthCheckRequest, decodeHealthCheckResponse, decodeReportRequest, encodeAgentReport, encodeConfigureRequest, encodeConfigureResponse,
  encodeDescribeRequest, encodeDescribeResponse, encodeFromAgent, encodeHealthCheckRequest, encodeHealthCheckResponse, encodeReportRequest, encodeToAgent,
  healthService,
} from '../../proto/codec/index.ts'
import type { Program } from '../program.ts'
import { Health } from './health.ts'
import { dial, type DialTarget } from './dial.ts'
import type { Endpoint } from './options.ts'
import { agentHandlers, type AgentHandlers } from './service.ts'
import { bindSocket, type OwnedSocket } from './socket.ts'

/** Between saying that it stops and taking nothing new. */
const noticeMs = 500

/** Room in a message for everything but the body. */
const messageSlackBytes = 1024 * 1024

export interface RunningServer {
  /** "unix:/run/a.sock" or "127.0.0.1:4567". */
  readonly address: string
  /** Says NOT_SERVING, waits for the open exchanges at most that long, closes, removes the socket. Safe to call twice. */
  drain (timeoutMs: number): Promise<void>
  /** Removes the socket at once, for a process that is about to end. */
  abandon (): void
}

/** Serves a program until it is drained. Rejects when the address cannot be bound. */
export async function startServer (program: Program, endpoint: Endpoint): Promise<RunningServer> {
  const server = new Server({
    'grpc.max_receive_message_length': program.agent.maxBodyBytes + messageSlackBytes,
    'grpc.max_send_message_length': -1,
    // A proxy uses a handful of streams; health tools come and go.
    'grpc.max_concurrent_streams': 256,
    'grpc-node.max_session_memory': 64,
    // A connection that the agent made is its own to watch: a proxy that is gone may not have said so.
    ...endpoint.kind === 'connect' ? { 'grpc.keepalive_time_ms': 20_000, 'grpc.keepalive_timeout_ms': 10_000 } : {},
  })
  const health = new Health()
  const handlers = agentHandlers(program)
  server.addService(agentDefinition, handlers.implementation)
  server.addService(healthDefinition, { check: health.check, watch: health.watch })
  if (endpoint.kind === 'connect') return connectServer(program, server, health, handlers, endpoint.target)
  const { address, socket } = await bind(server, endpoint)
  let drained: Promise<void> | undefined
  return {
    address,
    drain (timeoutMs) {
      return drained ??= drainServer({ program, server, health, handlers, socket }, timeoutMs)
    },
    abandon: () => socket?.remove(),
  }
}

/** The agent connects; from then on it is asked as if it had been connected to. */
function connectServer (program: Program, server: Server, health: Health, handlers: AgentHandlers, target: DialTarget): RunningServer {
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure())
  const dialler = dial(target, program.log, (connection) => injector.injectConnection(connection))
  let drained: Promise<void> | undefined
  return {
    address: 'path' in target.to ? `unix:${target.to.path}` : `${target.to.host}:${target.to.port}`,
    drain (timeoutMs) {
      dialler.stop()
      return drained ??= drainServer({ program, server, health, handlers, socket: undefined, leave: () => injector.destroy() }, timeoutMs)
    },
    abandon: () => dialler.stop(),
  }
}

interface Parts {
  readonly program: Program
  readonly server: Server
  readonly health: Health
  readonly handlers: AgentHandlers
  readonly socket: OwnedSocket | undefined
  /** Before the server closes. */
  readonly leave?: () => void
}

async function drainServer ({ program, server, health, handlers, socket, leave }: Parts, timeoutMs: number): Promise<void> {
  program.vitals.draining()
  health.stop()
  // What is on its way from a proxy that has not heard of it yet is still taken; it looks for another connection meanwhile.
  if (handlers.open > 0) await pause(Math.min(noticeMs, timeoutMs / 2))
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<'late'>((resolve) => { timer = setTimeout(resolve, timeoutMs, 'late') })
  const how = await Promise.race([program.drain(), timeout])
  clearTimeout(timer)
  if (how === 'late') program.log.warn({ open: program.open }, 'exchanges are still open after the drain timeout')
  handlers.endStreams()
  health.close()
  leave?.()
  await closed(server, 1000)
  socket?.remove()
}

/** Peers that do not close their side are cut off after `timeoutMs`. */
function closed (server: Server, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      server.forceShutdown()
      resolve()
    }, timeoutMs)
    server.tryShutdown(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}

async function bind (server: Server, endpoint: Exclude<Endpoint, { kind: 'connect' }>): Promise<{ address: string, socket: OwnedSocket | undefined }> {
  if (endpoint.kind === 'unix') {
    const address = `unix:${endpoint.path}`
    const socket = await bindSocket(endpoint.path, async () => { await bindTo(server, address, ServerCredentials.createInsecure()) })
    return { address, socket }
  }
  const host = endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host
  const port = await bindTo(server, `${host}:${endpoint.port}`, await credentialsOf(endpoint))
  return { address: `${host}:${port}`, socket: undefined }
}

async function credentialsOf ({ tls }: Endpoint & { kind: 'tcp' }): Promise<ServerCredentials> {
  if (tls === undefined) return ServerCredentials.createInsecure()
  const [cert, key] = await Promise.all([readFile(tls.cert), readFile(tls.key)])
  const ca = tls.clientCa === undefined ? null : await readFile(tls.clientCa)
  return ServerCredentials.createSsl(ca, [{ cert_chain: cert, private_key: key }], ca !== null)
}

function bindTo (server: Server, address: string, credentials: ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => error ? reject(error) : resolve(port))
  })
}

const agentDefinition: ServiceDefinition<UntypedServiceImplementation> = {
  describe: {
    path: agentService.describe,
    requestStream: false,
    responseStream: false,
    requestSerialize: encodeDescribeRequest,
    requestDeserialize: decodeDescribeRequest,
    responseSerialize: encodeDescribeResponse,
    responseDeserialize: decodeDescribeResponse,
  },
  configure: {
    path: agentService.configure,
    requestStream: false,
    responseStream: false,
    requestSerialize: encodeConfigureRequest,
    requestDeserialize: decodeConfigureRequest,
    responseSerialize: encodeConfigureResponse,
    responseDeserialize: decodeConfigureResponse,
  },
  report: {
    path: agentService.report,
    requestStream: false,
    responseStream: true,
    requestSerialize: encodeReportRequest,
    requestDeserialize: decodeReportRequest,
    responseSerialize: encodeAgentReport,
    responseDeserialize: decodeAgentReport,
  },
  process: {
    path: agentService.process,
    requestStream: true,
    responseStream: true,
    requestSerialize: encodeToAgent,
    // Read by the handler, which can say what is wrong with it.
    requestDeserialize: (bytes: Buffer) => bytes,
    responseSerialize: encodeFromAgent,
    responseDeserialize: decodeFromAgent,
  },
}

const healthDefinition: ServiceDefinition<UntypedServiceImplementation> = {
  check: {
    path: healthService.check,
    requestStream: false,
    responseStream: false,
    requestSerialize: encodeHealthCheckRequest,
    requestDeserialize: decodeHealthCheckRequest,
    responseSerialize: encodeHealthCheckResponse,
    responseDeserialize: decodeHealthCheckResponse,
  },
  watch: {
    path: healthService.watch,
    requestStream: false,
    responseStream: true,
    requestSerialize: encodeHealthCheckRequest,
    requestDeserialize: decodeHealthCheckRequest,
    responseSerialize: encodeHealthCheckResponse,
    responseDeserialize: decodeHealthCheckResponse,
  },
}
