import { agentService, decodeAgentReport, encodeReportRequest, frame, type AgentReport } from '../../proto/codec/index.ts'
import { keepListening } from './listening.ts'
import type { AgentSession } from './session.ts'

/** A thousand series with long names. */
const maxMessageBytes = 1024 * 1024
const intervalMs = 1_000

/** Listens to what the agent says of its health, its load and its own figures. An agent that has no such call is none the worse for it. */
export function watchReports (session: AgentSession, onReport: (report: AgentReport) => void): void {
  keepListening(session, agentService.report, frame(encodeReportRequest({ intervalMs })), maxMessageBytes, {
    onMessage: (message) => onReport(decodeAgentReport(message)),
    // What was said last stays: the end of this call says nothing about the others.
    onEnd () {},
  })
}
