import { once } from 'node:events'
import type { TestContext } from 'node:test'
import { WebSocket, type ClientOptions, type ServerOptions } from 'ws'
import type { WebSocketServer } from 'ws'
import { fromDist } from './paths.ts'
import { patient, siteWith } from './scripted-agent.ts'
import { startSentinel, type RunningSentinel } from './sentinel.ts'
import { webSocketClient, webSocketServer } from './websocket.ts'

/** KDL of a managed agent that does with each message what it says (`agents/messages.ts`). */
export function messagesAgent (id: string, settings = ''): string {
  return `agent ${JSON.stringify(id)} { command ${JSON.stringify(process.execPath)} ${JSON.stringify(fromDist('test', 'support', 'agents', 'messages.js'))}\n${patient(settings)} }`
}

export interface Ends {
  readonly client: WebSocket
  readonly there: WebSocket
  /** What each of them got, texts as they are and bytes in hexadecimal. */
  readonly clientGot: readonly string[]
  readonly thereGot: readonly string[]
  /** How each of them ended, as "code reason". */
  readonly clientClosed: Promise<string>
  readonly thereClosed: Promise<string>
}

export interface InspectedSite {
  readonly sentinel: RunningSentinel
  readonly server: WebSocketServer
  readonly port: number
  /** A WebSocket through the proxy, with both of its ends in the hands of the test. */
  readonly open: (options?: ClientOptions) => Promise<Ends>
  /** The whole configuration with these agents. */
  readonly kdl: (agents: string, names: readonly string[], route?: string) => string
}

export const inspecting = 'websocket #true; websocket-inspection #true; '

/** The program in front of a server whose messages its agents see. */
export async function inspectedSite (t: TestContext, agents: string, names: readonly string[], given: { readonly route?: string, readonly server?: ServerOptions, readonly more?: string, readonly system?: string } = {}): Promise<InspectedSite> {
  const { server, port } = await webSocketServer(t, given.server)
  const kdl = (asked: string, order: readonly string[], route = given.route ?? inspecting): string => siteWith(port, asked, order, `system { graceful-shutdown-timeout "300ms"; ${given.system ?? ''} }\n${given.more ?? ''}`, route)
  const sentinel = await startSentinel(t, kdl(agents, names))
  return { sentinel, server, port, kdl, open: (options) => openEnds(t, server, sentinel.port(), options) }
}

export async function openEnds (t: TestContext, server: WebSocketServer, port: number, options: ClientOptions = {}): Promise<Ends> {
  const connected = once(server, 'connection')
  const client = await webSocketClient(t, port, options)
  const [there] = await connected as [WebSocket]
  there.on('error', () => { /* a test may break it */ })
  return { client, there, clientGot: gotBy(client), thereGot: gotBy(there), clientClosed: endOf(client), thereClosed: endOf(there) }
}

function gotBy (socket: WebSocket): string[] {
  const got: string[] = []
  socket.on('message', (data: Buffer, binary) => { got.push(binary ? data.toString('hex') : data.toString()) })
  return got
}

function endOf (socket: WebSocket): Promise<string> {
  return new Promise((resolve) => { socket.once('close', (code, reason) => { resolve(`${code} ${reason.toString()}`.trim()) }) })
}

/** A frame of a client by hand, with a mask that is not 0. `first`: FIN, reserved bits and opcode. */
export function maskedFrame (first: number, payload: Buffer): Buffer {
  const { length } = payload
  const extra = Buffer.alloc(length < 126 ? 0 : length < 65_536 ? 2 : 8)
  if (extra.length === 2) extra.writeUInt16BE(length)
  if (extra.length === 8) extra.writeBigUInt64BE(BigInt(length))
  const key = Buffer.from([1, 2, 3, 4])
  const short = extra.length === 0 ? length : extra.length === 2 ? 126 : 127
  return Buffer.concat([Buffer.from([first, 0x80 | short]), extra, key, payload.map((octet, i) => octet ^ key[i & 3]!)])
}

export function maskedText (text: string): Buffer {
  return maskedFrame(0x81, Buffer.from(text))
}
