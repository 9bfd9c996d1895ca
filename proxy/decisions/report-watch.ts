import type { ClientHttp2Session } from 'node:http2'
import { agentService, decodeAgentReport, encodeReportRequest, frame, type AgentReport } from '../../proto/codec/index.ts'
import { openStream } from './grpc-stream.ts'

/** A thousand series with long names. */
const maxMessageBytes = 1024 * 1024
const intervalMs = 1_000

/** Listens to what the agent says of its health, its load and its own figures. An agent that has no such call is none the worse for it. */
export function watchReports (session: ClientHttp2Session, onReport: (report: AgentReport) => void): void {
  const stream = openStream(session, agentService.report, maxMessageBytes, {
    onMessage: (message) => onReport(decodeAgentReport(message)),
    onDrain () {},
    // What was said last stays: the end of this stream says nothing about the others.
    onEnd () {},
  })
  stream.write(frame(encodeReportRequest({ intervalMs })))
  stream.end()
}
