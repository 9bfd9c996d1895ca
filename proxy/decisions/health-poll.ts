import { decodeHealthCheckResponse, encodeHealthCheckRequest, frame, healthService } from '../../proto/codec/index.ts'
import { Fault } from '../pipeline/faults.ts'
import { CallEnded, unary, unimplemented } from './grpc-stream.ts'
import type { AgentSession } from './session.ts'

export interface HealthPollSettings {
  readonly intervalMs: number
  readonly timeoutMs: number
  /** In a row, until the agent counts as well again, or as not well. */
  readonly healthyThreshold: number
  readonly unhealthyThreshold: number
}

/** More than any health answer. */
const maxMessageBytes = 1_024

/**
 * Asks the agent again and again whether it is well (`grpc.health.v1.Health/Check`). An answer that it has no such service is a good one: it answers.
 * Returns how to stop.
 */
export function pollHealth (
  session: AgentSession, service: string, settings: HealthPollSettings, onChange: (well: boolean, why: string) => void,
): () => void {
  const request = frame(encodeHealthCheckRequest({ service }))
  let well = true
  let against = 0
  let stopped = false
  const look = async (): Promise<void> => {
    const why = await askOnce(session, request, settings.timeoutMs)
    if (stopped) return
    timer = setTimeout(() => void look(), settings.intervalMs).unref()
    against = (why === undefined) === well ? 0 : against + 1
    if (against < (well ? settings.unhealthyThreshold : settings.healthyThreshold)) return
    well = !well
    against = 0
    onChange(well, why ?? '')
  }
  let timer = setTimeout(() => void look(), settings.intervalMs).unref()
  return () => {
    stopped = true
    clearTimeout(timer)
  }
}

/** Why it is not well; `undefined` when it is. */
async function askOnce (session: AgentSession, request: Buffer, timeoutMs: number): Promise<string | undefined> {
  try {
    const { status } = decodeHealthCheckResponse(await unary(session, healthService.check, request, { timeoutMs, maxMessageBytes }))
    return status === 'not_serving' ? 'it says of itself that it is not serving' : undefined
  } catch (error) {
    if (!(error instanceof Fault)) return 'its answer about its health cannot be read'
    return error instanceof CallEnded && error.status === unimplemented ? undefined : error.detail ?? error.code
  }
}
