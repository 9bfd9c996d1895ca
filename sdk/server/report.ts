import { decodeReportRequest, encodeAgentReport } from '../../proto/codec/index.ts'
import type { Program } from '../program.ts'
import { CallError, status, type Call, type Method } from './grpc.ts'

/** Who listens at once: each worker of each proxy does, on each connection. */
const maxListeners = 256
const shortestMs = 100
const usualMs = 1_000

export interface Reporter {
  /** `Report`: how the agent does, now, at every change of its health, and again and again. */
  readonly report: Method
  /** Lets go of all who listen. */
  end (): void
}

/** Somebody who listens. */
interface Listener {
  drained (): void
  stop (): void
}

export function reporter (program: Program): Reporter {
  const listeners = new Map<Call, Listener>()
  return {
    report: (call) => ({
      onMessage (message) {
        const { intervalMs } = decodeReportRequest(message)
        if (listeners.has(call)) throw new CallError(status.invalidArgument, 'more than one message')
        if (listeners.size >= maxListeners) throw new CallError(status.resourceExhausted, 'too many listen')
        listeners.set(call, tellAgainAndAgain(program, call, Math.max(shortestMs, intervalMs === 0 ? usualMs : intervalMs)))
      },
      onEnd () {
        if (!listeners.has(call)) call.end(status.invalidArgument, 'no message')
      },
      onDrain: () => listeners.get(call)?.drained(),
      onClose () {
        listeners.get(call)?.stop()
        listeners.delete(call)
      },
    }),
    end () {
      for (const call of listeners.keys()) call.end()
    },
  }
}

function tellAgainAndAgain (program: Program, call: Call, intervalMs: number): Listener {
  const { vitals, configurations } = program
  let mark = 0
  let blocked = false
  const tell = (): void => {
    // Who does not read misses some: what has changed meanwhile is in the next.
    if (blocked) return
    const reached = vitals.metrics.mark
    blocked = !call.write(encodeAgentReport(vitals.report(program.open, configurations.active?.version ?? '', mark)))
    mark = reached
  }
  const timer = setInterval(tell, intervalMs).unref()
  const ignore = vitals.onChange(tell)
  tell()
  return {
    drained () { blocked = false },
    stop () {
      clearInterval(timer)
      ignore()
    },
  }
}
