import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Case } from '../case.ts'
import type { Contender } from '../contenders/contender.ts'
import { warmUpSeconds } from '../run-case.ts'
import { begin, type Round, type Surroundings } from '../session.ts'
import { functionTimes, type CpuProfile, type FunctionTime } from './cpu-profile.ts'

/** Shorter than any callback that matters; longer than what sampling costs. */
const intervalUs = 200

export interface Profile {
  readonly times: readonly FunctionTime[]
  /** How many requests (or what the case counts) they are the time of. */
  readonly count: number
  /** µs of CPU of each while the profile was taken. */
  readonly cpuUs: number
}

/** Runs a contender under `node --cpu-prof` and tells where the time of the measured seconds went, without start and warming up. */
export async function profile (one: Case, contender: Contender, surroundings: Surroundings, seconds: number): Promise<Profile> {
  const { folder } = surroundings
  const startedAt = performance.now()
  const session = await begin(one, contender, surroundings, ['--cpu-prof', `--cpu-prof-interval=${intervalUs}`, `--cpu-prof-dir=${folder}`])
  let round: Round
  try {
    const perSecond = one.cold === true ? 0 : await session.warm(warmUpSeconds(one, contender, seconds))
    round = await session.round(seconds, one.paceOf === undefined ? undefined : Math.round(perSecond / 2))
  } finally {
    await session.stop()
  }
  const file = readdirSync(folder).find((name) => name.endsWith('.cpuprofile'))
  if (file === undefined) throw new Error(`${contender.title} wrote no profile`)
  const recorded: CpuProfile = JSON.parse(readFileSync(join(folder, file), 'utf8'))
  const [fromUs, untilUs] = [round.fromMs, round.untilMs].map((ms) => (ms - startedAt) * 1000)
  return { times: functionTimes(recorded, fromUs, untilUs), count: round.count, cpuUs: round.sample.cpuUs ?? 0 }
}
