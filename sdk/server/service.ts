import {
  agentService, decodeConfigureRequest, decodeDescribeRequest, decodeToAgent, encodeConfigureResponse, encodeDescribeResponse,
  type FromAgent, type ToAgent,
} from '../../proto/codec/index.ts'
import { encodeReplies } from '../encode-replies.ts'
import type { Program } from '../program.ts'
import { AgentStream } from '../stream.ts'
import { CallError, status, unaryMethod, type Method } from './grpc.ts'
import { reporter } from './report.ts'

export interface AgentMethods {
  readonly methods: ReadonlyMap<string, Method>
  /** `Process` streams that are open. */
  readonly open: number
  /** Closes the agent's side of every stream. */
  endStreams (): void
}

/** One `Process` stream, on the agent's side. */
export interface EventStream {
  receive (message: ToAgent): void
  /** The proxy says nothing more. Calls `done` when every question is answered, or the last of their deadlines is over. */
  finish (done: () => void): void
  /** Sends what waits. */
  flush (): void
  /** The proxy is gone. */
  close (): void
}

export type OpenStream = (send: (message: FromAgent) => void) => EventStream

/** The calls of the agent service. */
export function agentMethods (program: Program, openStream: OpenStream = (send) => new AgentStream(program, send)): AgentMethods {
  const streams = new Set<() => void>()
  const reports = reporter(program)

  const describe = unaryMethod(decodeDescribeRequest, (request) => {
    const { agentId, proxy, protocolVersions } = request
    const description = program.describe(request)
    if (description.protocolVersion === 0) program.log.error({ proxy, offered: protocolVersions }, 'no common version of the protocol')
    else program.log.info({ proxy, as: agentId }, 'connected')
    return encodeDescribeResponse(description)
  })

  const configure = unaryMethod(decodeConfigureRequest, async (request) => encodeConfigureResponse(await program.configure(request)))

  const process: Method = (call) => {
    const watch = program.vitals.watch()
    const stream = openStream((message) => {
      const bytes = encodeReplies(message)
      watch.said(message)
      // A proxy that does not read its replies gets no further until it does.
      if (!call.write(bytes)) call.pause()
    })
    const end = (): void => {
      stream.flush()
      call.end()
    }
    streams.add(end)
    const close = (): void => {
      streams.delete(end)
      stream.close()
    }
    return {
      onMessage (message) {
        try {
          const events = decodeToAgent(message)
          watch.heard(events)
          stream.receive(events)
        } catch (error) {
          // Whoever sends what is no message cannot be trusted to mean the next one.
          program.log.error({ error }, 'the stream ends: the proxy sent something that cannot be read')
          close()
          throw new CallError(status.invalidArgument, error instanceof Error ? error.message : String(error))
        }
      },
      onEnd () {
        stream.finish(() => {
          close()
          call.end()
        })
      },
      onDrain: () => call.resume(),
      onClose: close,
    }
  }

  return {
    methods: new Map([
      [agentService.describe, describe], [agentService.configure, configure], [agentService.process, process], [agentService.report, reports.report],
    ]),
    get open () { return streams.size },
    endStreams () {
      for (const end of streams) end()
      reports.end()
    },
  }
}
