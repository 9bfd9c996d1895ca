import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { body, sizes } from './body.ts'
import type { Case } from './case.ts'
import type { Certificate, Contender } from './contenders/contender.ts'
import type { Sample } from './figures.ts'
import type { Driven, Target } from './load/driven.ts'
import { measuredCore, otherCore } from './processes.ts'
import { Unfit } from './unfit.ts'
import { busyBetween, coreTime, foreignBetween, mostOpenFiles, usage, type CoreTime, type Usage } from './usage.ts'

/** A contender that runs, for one case. */
export interface Session {
  readonly contender: Contender
  /** Resolves with how many per second it managed. */
  warm (seconds: number): Promise<number>
  round (seconds: number, perSecond: number | undefined): Promise<Round>
  stop (): Promise<void>
}

export interface Round {
  readonly sample: Sample
  readonly count: number
  /** By `performance.now()`: without connecting before and letting go after. */
  readonly fromMs: number
  readonly untilMs: number
}

export interface Surroundings {
  /** For files of this session alone. */
  readonly folder: string
  readonly upstreamPort: number
  readonly certificate: Certificate
}

/** Two sockets for each client, and some to spare. */
const filesBesideClients = 1_500
const probingMs = 60_000

/** Starts a contender and looks whether it answers rightly. Throws `Unfit` when it cannot do what the case asks for. */
export async function begin (one: Case, contender: Contender, { folder, upstreamPort, certificate }: Surroundings, flags: readonly string[] = []): Promise<Session> {
  const setup = {
    upstreamPort,
    certificate: one.secure === true ? certificate : undefined,
    websocket: one.websocket ?? false,
    streaming: one.streaming ?? false,
    files: one.files === true ? writeFiles(join(folder, 'files')) : undefined,
    workers: one.workers ?? 1,
  }
  const unable = contender.missing ?? contender.unable?.(setup)
  if (unable !== undefined) throw new Unfit(unable)
  if ((one.clients ?? 0) + filesBesideClients > mostOpenFiles()) throw new Unfit(`only ${mostOpenFiles()} files may be open here`)
  mkdirSync(folder, { recursive: true })
  const running = await contender.start(folder, setup, flags)
  const target: Target = { port: running.port, secure: one.secure ?? false, path: one.path, folder, perSecond: undefined }
  try {
    await probe(one, target)
    // Collections and lazy loading after the start are not what an idle proxy costs.
    await delay(one.settleMs ?? 1_000)
  } catch (error) {
    await running.stop()
    throw error
  }
  const idle = usage(running.pid)
  return {
    contender,
    stop: running.stop,
    async warm (seconds) {
      const stretch = await (one.warm ?? one.load)(target)
      try {
        const driven = await stretch.run(seconds)
        return driven.count / driven.seconds
      } catch (error) {
        throw new Error(`${error instanceof Error ? error.message : String(error)}\n${running.output()}`)
      } finally {
        await stretch.end()
      }
    },
    async round (seconds, perSecond) {
      const stretch = await one.load({ ...target, perSecond })
      try {
        const fromMs = performance.now()
        const before = look(running.pid)
        const [driven] = await Promise.all([stretch.run(seconds), delay(seconds * 500).then(() => one.probe(target))])
        const after = look(running.pid)
        mustBeRight(one, driven, running.output)
        return { sample: sample(one, driven, { idle, before, after }), count: driven.count, fromMs, untilMs: performance.now() }
      } finally {
        await stretch.end()
      }
    },
  }
}

/** As the upstream answers, by the same names. */
function writeFiles (folder: string): string {
  mkdirSync(folder, { recursive: true })
  for (const [name, bytes] of Object.entries(sizes)) writeFileSync(join(folder, name), body(bytes))
  return folder
}

/** A proxy that answers quickly and wrongly must not win. An agent may need a moment after the listener is there. */
async function probe (one: Case, target: Target): Promise<void> {
  for (const until = performance.now() + probingMs; ;) {
    try {
      return await one.probe(target)
    } catch (error) {
      if (error instanceof Unfit || performance.now() > until) throw error
      await delay(100)
    }
  }
}

function mustBeRight (one: Case, { count, failed, reason = '', bytes }: Driven, output: () => string): void {
  if (count === 0) throw new Error(`nothing was answered ${reason}\n${output()}`)
  if (failed > 0) throw new Error(`${failed} of ${count + failed} went wrong ${reason}\n${output()}`)
  // Programs round what they print.
  if (bytes !== undefined && one.bytes !== undefined && bytes < count * one.bytes * 0.99) throw new Error(`only ${bytes} bytes for ${count} answers of ${one.bytes}`)
}

interface Look extends Usage {
  readonly ownCore: CoreTime | undefined
  readonly loadCore: CoreTime | undefined
}

function look (pid: number): Look {
  return { ...usage(pid), ownCore: coreTime(measuredCore), loadCore: coreTime(otherCore) }
}

function sample (one: Case, driven: Driven, { idle, before, after }: { readonly idle: Usage, readonly before: Look, readonly after: Look }): Sample {
  const proxyUs = after.proxyUs - before.proxyUs
  const agentUs = after.agentUs - before.agentUs
  const cpuUs = proxyUs / driven.count
  const perSecond = driven.count / driven.seconds
  const percent = (share: number | undefined): number | undefined => share === undefined ? undefined : share * 100
  const figures: { [figure in keyof Sample]: number | undefined } = {
    perSecond,
    p50Ms: driven.p50Ms,
    p99Ms: driven.p99Ms,
    lateMs: driven.lateP99Ms,
    resumedPercent: percent(driven.resumed),
    loadPercent: percent(busyBetween(before.loadCore, after.loadCore)),
    // With more workers than one the load may be among the others.
    foreignPercent: (one.workers ?? 1) > 1 ? undefined : percent(foreignBetween(before.ownCore, after.ownCore, proxyUs + agentUs)),
    agentUs: agentUs === 0 ? undefined : agentUs / driven.count,
    mbPerSecond: one.bytes === undefined ? undefined : perSecond * one.bytes / 1e6,
    ...after.residentBytes === 0 ? {} : {
      cpuUs,
      cpuUsPerMiB: one.bytes === undefined ? undefined : cpuUs * 2 ** 20 / one.bytes,
      busyPercent: proxyUs / driven.seconds / 1e4 / (one.workers ?? 1),
      idleMb: idle.residentBytes / 1e6,
      idleSharedMb: idle.proportionalBytes / 1e6,
      loadedMb: after.residentBytes / 1e6,
      kbPerClient: one.clients === undefined ? undefined : (after.residentBytes - idle.residentBytes) / one.clients / 1e3,
    },
  }
  return Object.fromEntries(Object.entries(figures).filter(([, value]) => value !== undefined))
}
