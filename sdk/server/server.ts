import { readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { healthService } from '../../proto/codec/index.ts'
import type { Program } from '../program.ts'
import { dial, type DialTarget } from './dial.ts'
import { grpcServer, type GrpcServer, type GrpcOptions } from './grpc.ts'
import { Health } from './health.ts'
import type { Endpoint } from './options.ts'
import { agentMethods, type AgentMethods, type OpenStream } from './service.ts'
import { bindSocket, type OwnedSocket } from './socket.ts'

/** Between saying that it stops and taking nothing new. */
const noticeMs = 500
/** Room in a message for everything but the body. */
const messageSlackBytes = 1024 * 1024
/** Peers that do not close their side are cut off. */
const lastWordsMs = 1_000

export interface RunningServer {
  /** "unix:/run/a.sock" or "127.0.0.1:4567". */
  readonly address: string
  /** Says NOT_SERVING, waits for the open exchanges at most that long, closes, removes the socket, closes the program. Safe to call twice. */
  drain (timeoutMs: number): Promise<void>
  /** Removes the socket at once, for a process that is about to end. */
  abandon (): void
}

/** Serves a program until it is drained. Rejects when the address cannot be bound. */
export async function startServer (program: Program, endpoint: Endpoint, openStream?: OpenStream): Promise<RunningServer> {
  const health = new Health()
  const agent = agentMethods(program, openStream)
  const server = grpcServer(new Map([...agent.methods, [healthService.check, health.check], [healthService.watch, health.watch]]), {
    maxMessageBytes: program.agent.maxBodyBytes + messageSlackBytes,
    tls: endpoint.kind === 'tcp' ? await certificatesOf(endpoint) : undefined,
  })
  if (endpoint.kind === 'connect') return connectServer({ program, server, health, agent }, endpoint.target)
  const { address, socket } = await bind(server, endpoint)
  let drained: Promise<void> | undefined
  return {
    address,
    drain (timeoutMs) {
      return drained ??= drainServer({ program, server, health, agent, socket }, timeoutMs)
    },
    abandon: () => socket?.remove(),
  }
}

/** The agent connects; from then on it is asked as if it had been connected to. */
function connectServer (parts: Parts, target: DialTarget): RunningServer {
  const dialler = dial(target, parts.program.log, (connection) => parts.server.accept(connection))
  let drained: Promise<void> | undefined
  return {
    address: 'path' in target.to ? `unix:${target.to.path}` : `${target.to.host}:${target.to.port}`,
    drain (timeoutMs) {
      dialler.stop()
      return drained ??= drainServer(parts, timeoutMs)
    },
    abandon: () => dialler.stop(),
  }
}

interface Parts {
  readonly program: Program
  readonly server: GrpcServer
  readonly health: Health
  readonly agent: AgentMethods
  readonly socket?: OwnedSocket | undefined
}

async function drainServer ({ program, server, health, agent, socket }: Parts, timeoutMs: number): Promise<void> {
  program.vitals.draining()
  health.stop()
  // What is on its way from a proxy that has not heard of it yet is still taken; it looks for another connection meanwhile.
  if (agent.open > 0) await pause(Math.min(noticeMs, timeoutMs / 2))
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<'late'>((resolve) => { timer = setTimeout(resolve, timeoutMs, 'late') })
  const how = await Promise.race([program.drain(), timeout])
  clearTimeout(timer)
  if (how === 'late') program.log.warn({ open: program.open }, 'exchanges are still open after the drain timeout')
  agent.endStreams()
  health.close()
  await server.close(lastWordsMs)
  socket?.remove()
  await program.close()
}

async function bind (server: GrpcServer, endpoint: Exclude<Endpoint, { kind: 'connect' }>): Promise<{ address: string, socket: OwnedSocket | undefined }> {
  if (endpoint.kind === 'unix') {
    const { path } = endpoint
    const socket = await bindSocket(path, async () => { await server.listen({ path }) })
    return { address: `unix:${path}`, socket }
  }
  const port = await server.listen({ host: endpoint.host, port: endpoint.port })
  return { address: `${endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host}:${port}`, socket: undefined }
}

async function certificatesOf ({ tls }: Endpoint & { kind: 'tcp' }): Promise<GrpcOptions['tls']> {
  if (tls === undefined) return undefined
  const [cert, key] = await Promise.all([readFile(tls.cert), readFile(tls.key)])
  if (tls.clientCa === undefined) return { cert, key }
  return { cert, key, ca: await readFile(tls.clientCa), requestCert: true, rejectUnauthorized: true }
}
