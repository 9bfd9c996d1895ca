import type { handleBidiStreamingCall, handleUnaryCall, sendUnaryData, UntypedServiceImplementation } from '@grpc/grpc-js'
import { status } from '@grpc/grpc-js'
import {
  decodeToAgent, type ConfigureRequest, type ConfigureResponse, type DescribeRequest, type DescribeResponse, type FromAgent,
} from '../../proto/codec/index.ts'
import type { Program } from '../program.ts'
import { AgentStream } from '../stream.ts'
import { reporter } from './report.ts'

export interface AgentHandlers {
  readonly implementation: UntypedServiceImplementation
  /** `Process` streams that are open. */
  readonly open: number
  /** Closes the agent's side of every stream. */
  endStreams (): void
}

/** The calls of the agent service. */
export function agentHandlers (program: Program): AgentHandlers {
  const streams = new Set<() => void>()
  const reports = reporter(program)

  const describe: handleUnaryCall<DescribeRequest, DescribeResponse> = (call, callback) => {
    const { agentId, proxy, protocolVersions } = call.request
    const description = program.describe(call.request)
    if (description.protocolVersion === 0) program.log.error({ proxy, offered: protocolVersions }, 'no common version of the protocol')
    else program.log.info({ proxy, as: agentId }, 'connected')
    callback(null, description)
  }

  const configure: handleUnaryCall<ConfigureRequest, ConfigureResponse> = (call, callback) => {
    void configured(call.request, callback)
  }

  const configured = async (request: ConfigureRequest, callback: sendUnaryData<ConfigureResponse>): Promise<void> => {
    try {
      callback(null, await program.configure(request))
    } catch (error) {
      callback({ code: status.INTERNAL, details: error instanceof Error ? error.message : String(error) })
    }
  }

  const process: handleBidiStreamingCall<Buffer, FromAgent> = (call) => {
    const watch = program.vitals.watch()
    const stream = new AgentStream(program, (message) => {
      watch.said(message)
      // A proxy that does not read its replies gets no further until it does.
      if (!call.write(message) && !call.isPaused()) {
        call.pause()
        call.once('drain', () => call.resume())
      }
    })
    const end = (): void => {
      stream.flush()
      call.end()
    }
    const close = (): void => {
      streams.delete(end)
      stream.close()
    }
    streams.add(end)
    call.on('data', (bytes: Buffer) => {
      try {
        const message = decodeToAgent(bytes)
        watch.heard(message)
        stream.receive(message)
      } catch (error) {
        // Whoever sends what is no message cannot be trusted to mean the next one.
        program.log.error({ error }, 'the stream ends: the proxy sent something that cannot be read')
        close()
        // How grpc-js wants to be told; `destroy` would leave the client without a status.
        call.emit('error', { code: status.INVALID_ARGUMENT, details: error instanceof Error ? error.message : String(error) })
      }
    })
    call.on('end', () => {
      close()
      call.end()
    })
    call.on('cancelled', close)
    call.on('error', close)
  }

  return {
    implementation: { describe, configure, process, report: reports.report },
    get open () { return streams.size },
    endStreams () {
      for (const end of streams) end()
      reports.end()
    },
  }
}
