import type { handleServerStreamingCall } from '@grpc/grpc-js'
import { status } from '@grpc/grpc-js'
import type { AgentReport, ReportRequest } from '../../proto/codec/index.ts'
import type { Program } from '../program.ts'

/** Who listens at once: each worker of each proxy does, on each connection. */
const maxListeners = 256
const shortestMs = 100
const usualMs = 1_000

export interface Reporter {
  /** `Report`: how the agent does, now, at every change of its health, and again and again. */
  readonly report: handleServerStreamingCall<ReportRequest, AgentReport>
  /** Lets go of all who listen. */
  end (): void
}

export function reporter (program: Program): Reporter {
  const listeners = new Set<() => void>()
  const report: Reporter['report'] = (call) => {
    if (listeners.size >= maxListeners) {
      call.emit('error', { code: status.RESOURCE_EXHAUSTED, details: 'too many listen' })
      return
    }
    const { vitals, configurations } = program
    let mark = 0
    let blocked = false
    const tell = (): void => {
      // Who does not read misses some: what has changed meanwhile is in the next.
      if (blocked) return
      const { mark: reached } = vitals.metrics
      blocked = !call.write(vitals.report(program.open, configurations.active?.version ?? '', mark))
      mark = reached
      if (blocked) call.once('drain', () => { blocked = false })
    }
    const timer = setInterval(tell, Math.max(shortestMs, call.request.intervalMs || usualMs)).unref()
    const ignore = vitals.onChange(tell)
    const leave = (): void => { call.end() }
    const end = (): void => {
      listeners.delete(leave)
      clearInterval(timer)
      ignore()
    }
    listeners.add(leave)
    call.on('cancelled', end)
    call.on('error', end)
    call.on('close', end)
    call.on('finish', end)
    tell()
  }
  return { report, end () { for (const leave of listeners) leave() } }
}
