import type { TargetSettings } from '../target.ts'
import { nameOf } from '../target.ts'
import { checkGrpc, grpcReach } from './check-grpc.ts'
import { checkHttp } from './check-http.ts'
import { checkInference, type InferenceResult } from './check-inference.ts'
import { checkTcp } from './check-tcp.ts'
import { askerOf, whyNot } from './question.ts'
import { firstCheckMs, nextCheckMs } from './schedule.ts'
import type { CheckResult, CheckSettings, InferenceCheck, Reach } from './settings.ts'
import { Warmth } from './warmth.ts'

/** How often one upstream may be in the middle of a check at the same time: a thousand targets do not need a thousand sockets. */
const checksAtOnce = 32

export interface CheckedUpstream {
  readonly reach: Reach
  readonly check: CheckSettings
  readonly targets: readonly TargetSettings[]
}

export interface Checker {
  /** Takes over another list: who stays keeps its turn, who is new is asked soon. */
  retarget (targets: readonly TargetSettings[]): void
  close (): void
}

export type OnCheck = (target: string, result: CheckResult) => void

/** Checks each target of an upstream again and again. Whatever a target does, its next check comes: each ends by itself, in time. */
export function startChecks ({ reach, check, targets }: CheckedUpstream, onCheck: OnCheck, random = Math.random): Checker {
  const places = placesOf(checksAtOnce)
  let watched = new Map<string, () => void>()
  const checker: Checker = {
    retarget (list) {
      const before = watched
      watched = new Map()
      for (const settings of list) {
        const name = nameOf(settings)
        if (watched.has(name)) continue
        watched.set(name, before.get(name) ?? again(checkOf(settings, reach, check), check.intervalMs, places, random, (result) => onCheck(name, result)))
        before.delete(name)
      }
      for (const stop of before.values()) stop()
    },
    close: () => checker.retarget([]),
  }
  checker.retarget(targets)
  return checker
}

interface Check {
  /** Never rejects. */
  run (): Promise<CheckResult>
  close (): void
}

function again (check: Check, intervalMs: number, places: Places, random: () => number, tell: (result: CheckResult) => void): () => void {
  let stopped = false
  let timer: NodeJS.Timeout
  const turn = async (): Promise<void> => {
    const dueMs = performance.now() + nextCheckMs(intervalMs, random)
    await places.take()
    const result = stopped ? undefined : await check.run()
    places.giveBack()
    if (stopped || result === undefined) return
    timer = setTimeout(() => void turn(), Math.max(intervalMs / 10, dueMs - performance.now())).unref()
    tell(result)
  }
  timer = setTimeout(() => void turn(), firstCheckMs(intervalMs, random)).unref()
  return () => {
    stopped = true
    clearTimeout(timer)
    check.close()
  }
}

/** Checks of one target. */
export function checkOf (target: TargetSettings, reach: Reach, check: CheckSettings): Check {
  const asked = check.port === undefined || target.path !== undefined ? target : { ...target, port: check.port }
  const { once, close } = kindOf(asked, reach, check)
  return {
    close,
    async run () {
      const startedMs = performance.now()
      try {
        return await once()
      } catch (error) {
        return { healthy: false, degraded: false, why: whyNot(error), ms: performance.now() - startedMs }
      }
    },
  }
}

function kindOf (target: TargetSettings, reach: Reach, check: CheckSettings): { once: () => Promise<CheckResult>, close: () => void } {
  if (check.type === 'tcp') return { once: () => checkTcp(target, reach, check), close: () => {} }
  const asker = askerOf(target, check.type === 'grpc' ? grpcReach(reach) : reach, longestMs(check))
  const close = (): void => asker.close()
  switch (check.type) {
    case 'http': return { once: () => checkHttp(asker, check), close }
    case 'grpc': return { once: () => checkGrpc(asker, check), close }
    case 'inference': {
      const warmth = check.warmth === undefined ? undefined : new Warmth(check.warmth)
      return { once: async () => withWarmth(await checkInference(asker, check), check, warmth), close }
    }
  }
}

function longestMs (check: CheckSettings): number {
  if (check.type !== 'inference') return check.timeoutMs
  return Math.max(check.timeoutMs, check.completion?.timeoutMs ?? 0, check.modelStatus?.timeoutMs ?? 0, check.queueDepth?.timeoutMs ?? 0)
}

function withWarmth ({ completionMs, ...result }: InferenceResult, { warmth: settings }: InferenceCheck, warmth: Warmth | undefined): CheckResult {
  if (completionMs === undefined || !result.healthy || warmth?.isCold(completionMs) !== true) return result
  const action = settings?.action
  return {
    ...result, why: `cold: a completion took ${Math.round(completionMs)} ms`, healthy: action !== 'mark-unhealthy', degraded: result.degraded || action === 'mark-degraded',
  }
}

interface Places {
  take (): Promise<void>
  giveBack (): void
}

function placesOf (count: number): Places {
  const waiting: Array<() => void> = []
  let free = count
  return {
    take: () => new Promise((resolve) => {
      if (free > 0) {
        free--
        resolve()
      } else {
        waiting.push(resolve)
      }
    }),
    giveBack () {
      const next = waiting.shift()
      if (next === undefined) free++
      else next()
    },
  }
}
