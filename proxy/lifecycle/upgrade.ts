import type { Socket } from 'node:net'
import type { SentinelConfig } from '../../config/sentinel/index.ts'
import type { Log } from '../observe/log.ts'
import type { AgentProgram } from './agent-program.ts'
import type { Legacy, Wants } from './handover.ts'
import type { Lease } from './leases.ts'
import type { LentEvidence } from './lent-evidence.ts'
import { startSuccessor, type Successor, type SuccessorSettings } from './successor.ts'

export interface UpgradeSettings extends Pick<SuccessorSettings, 'cwd' | 'env' | 'descriptors' | 'signal'> {
  readonly config: SentinelConfig
  readonly programs: ReadonlyMap<string, Lease<AgentProgram>>
  readonly records: LentEvidence | undefined
  /** As it is when the successor asks. */
  readonly legacy: () => Legacy
  /** Where agents go that connect to the proxy from now on, and those that wait for a place; `undefined`: they stay. */
  readonly sendAgents: (to: ((listener: string, socket: Socket) => void) | undefined) => void
  /** Who is told what the operator takes out and puts back meanwhile; `undefined`: nobody. */
  readonly tellDrains: (to: ((upstream: string, target: string, on: boolean) => void) | undefined) => void
  /** What the successor may have taken by name is had again. */
  readonly takeBack: (() => Promise<void>) | undefined
  readonly log: Log
}

/** Hands over to the program that is on disk now, and resolves when that serves. Rejects with a sentence for the operator when it does not come to that: everything is as before. */
export async function handOver (settings: UpgradeSettings): Promise<Successor> {
  const { cwd, env, descriptors, signal, config, records, log, sendAgents, tellDrains } = settings
  const undo: Array<() => void | Promise<void>> = []
  try {
    const readyMs = config.system.upgradeTimeout
    const successor = await startSuccessor({
      cwd, env, descriptors, readyMs, signal, release: (wants) => release(settings, wants, undo), agents: sendAgents, drains: tellDrains,
    })
    const file = config.evidence?.file
    if (file !== undefined) records?.giveTo((entry) => successor.send({ kind: 'evidence', file, entry }))
    log.info(`process ${successor.pid} serves from now on`, { event: 'upgraded', successor: successor.pid })
    return successor
  } catch (error) {
    sendAgents(undefined)
    tellDrains(undefined)
    for (const step of undo.toReversed()) await step()
    await settings.takeBack?.()
    const why = error instanceof Error ? error.message : String(error)
    if (signal.aborted) {
      log.info(`the new process was ended before it served: ${why}`, { event: 'upgrade-given-up' })
      throw new Error(`the new process was ended before it served: ${why}`, { cause: error })
    }
    log.error(`the new process did not come to serve, this one goes on: ${why}`, { event: 'upgrade-failed', code: 'UPGRADE_FAILED' })
    throw new Error(`the new process did not come to serve, the old one goes on: ${why}`, { cause: error })
  }
}

/** Lets go of what only one process can have. */
async function release ({ config, records, programs, legacy, log }: UpgradeSettings, wants: Wants, undo: Array<() => void | Promise<void>>): Promise<Legacy> {
  for (const { value: { placed } } of programs.values()) {
    if (placed === undefined || !wants.agentSockets.includes(placed.path) || !placed.stepAside()) continue
    undo.push(() => placed.stepBack())
  }
  if (records !== undefined && config.evidence?.file === wants.evidence) {
    undo.push(() => records.takeBack().catch((error: unknown) => log.error('the evidence file cannot be opened again', { event: 'evidence-lost', error })))
    await records.lend()
  }
  return legacy()
}
