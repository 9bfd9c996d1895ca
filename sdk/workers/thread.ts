// What runs in a worker thread: the module of the agent, and a program like that of an agent without workers, whose streams come over a port.
import { decodeConfigureRequest, decodeToAgent, encodeConfigureResponse } from '../../proto/codec/index.ts'
import { isAgent } from '../check-definition.ts'
import type { Agent } from '../definition.ts'
import { encodeReplies } from '../encode-replies.ts'
import { Program } from '../program.ts'
import { AgentStream } from '../stream.ts'
import { hostAgents } from './hosted.ts'
import { handedOver, type FromWorker, type ThreadTask, type ToWorker } from './messages.ts'
import { RemoteStore } from './remote-store.ts'
import { threadLog } from './thread-log.ts'

/** Runs for as long as the thread does: what the pool calls a task is a whole worker. Rejects when the module does not hold the agent. */
export async function runThread ({ port, module, agent: name, hooks }: ThreadTask): Promise<void> {
  if (hooks !== undefined) (await import(hooks) as { registerHooks (): unknown }).registerHooks()
  const send = (message: FromWorker): void => port.postMessage(message)
  const sendBytes = (message: FromWorker & { readonly bytes: Uint8Array<ArrayBuffer> }): void => port.postMessage(message, [message.bytes.buffer])
  const agent = await agentOf(module, name)
  const store = new RemoteStore((call, what) => send({ kind: 'store', call, what }))
  const program = new Program(agent, threadLog((record) => send({ kind: 'log', record })), { store })
  const streams = new Map<number, AgentStream>()
  tellVitals(program.vitals, send)

  const streamOf = (id: number): AgentStream => {
    let stream = streams.get(id)
    if (stream === undefined) {
      stream = new AgentStream(
        program,
        (message) => sendBytes({ kind: 'replies', stream: id, bytes: handedOver(encodeReplies(message)) }),
        (exchange) => send({ kind: 'forgotten', stream: id, exchange }),
      )
      streams.set(id, stream)
    }
    return stream
  }
  const receive = async (message: ToWorker): Promise<void> => {
    switch (message.kind) {
      case 'events': return streamOf(message.stream).receive(decodeToAgent(Buffer.from(message.bytes.buffer)))
      case 'close':
        streams.get(message.stream)?.close()
        streams.delete(message.stream)
        return
      case 'configure': {
        const response = await program.configurations.configure(decodeConfigureRequest(Buffer.from(message.bytes.buffer)))
        return sendBytes({ kind: 'configured', call: message.call, bytes: handedOver(encodeConfigureResponse(response)) })
      }
      case 'stored': return store.answered(message.call, message.value)
      case 'not-stored': return store.failed(message.call, message.error)
      case 'ping': return send({ kind: 'pong' })
      case 'drain':
        await program.drain()
        return send({ kind: 'drained' })
    }
  }
  // What a message brings about may fail only by a mistake of ours: the thread ends then, as a process would.
  port.on('message', (message: ToWorker) => void receive(message))
  send({ kind: 'ready', name: agent.definition.name, version: agent.definition.version ?? '' })
  await new Promise((resolve) => port.once('close', resolve))
}

/** What is counted here is told once a second, a change of health at once. */
function tellVitals (vitals: Program['vitals'], send: (message: FromWorker) => void): void {
  let told = 0
  const tell = (): void => {
    const { mark } = vitals.metrics
    send({ kind: 'vitals', vitals: vitals.tellSince(told) })
    told = mark
  }
  setInterval(() => { if (vitals.metrics.mark > told) tell() }, 1_000).unref()
  vitals.onChange(tell)
}

/** The agent that the module serves, or gives as its default export. */
async function agentOf (module: string, name: string): Promise<Agent> {
  let served: Agent | undefined
  hostAgents((agent) => { served = agent })
  // The author's own module, by the address the pool was given.
  const { default: exported } = await import(module) as { readonly default?: unknown }
  const agent = served ?? (isAgent(exported) ? exported : undefined)
  if (agent === undefined) throw new Error(`${module} neither serves an agent nor exports one as its default`)
  if (agent.definition.name !== name) throw new Error(`${module} holds the agent "${agent.definition.name}", not "${name}"`)
  return agent
}
