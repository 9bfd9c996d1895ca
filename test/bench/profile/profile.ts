import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Case } from '../case.ts'
import type { Contender } from '../contenders/contender.ts'
import { warmUpSeconds } from '../run-case.ts'
import { begin, type Round, type Surroundings } from '../session.ts'
import { functionTimes, type CpuProfile } from './cpu-profile.ts'
import { profileText } from './print.ts'

/** Shorter than any callback that matters; longer than what sampling costs. */
const intervalUs = 200

/** Runs a contender under `node --cpu-prof` and tells where the time of the measured seconds went, without start and warming up. */
export async function profile (one: Case, contender: Contender, surroundings: Surroundings, seconds: number): Promise<string> {
  const { folder } = surroundings
  const startedAt = performance.now()
  const session = await begin(one, contender, surroundings, ['--cpu-prof', `--cpu-prof-interval=${intervalUs}`, `--cpu-prof-dir=${folder}`])
  let round: Round
  try {
    const perSecond = one.cold === true ? 0 : await session.warm(warmUpSeconds(contender, seconds))
    round = await session.round(seconds, one.paceOf === undefined ? undefined : Math.round(perSecond / 2))
  } finally {
    await session.stop()
  }
  const file = readdirSync(folder).find((name) => name.endsWith('.cpuprofile'))
  if (file === undefined) throw new Error(`${contender.title} wrote no profile`)
  const recorded: CpuProfile = JSON.parse(readFileSync(join(folder, file), 'utf8'))
  const [fromUs, untilUs] = [round.fromMs, round.untilMs].map((ms) => (ms - startedAt) * 1000)
  return [
    `${(round.sample.cpuUs ?? 0).toFixed(1)} µs of CPU per ${one.unit} while it is profiled; what the kernel does before a callback begins, reading sockets above all, is in no function below.`,
    profileText(functionTimes(recorded, fromUs, untilUs), round.count, one.unit),
  ].join('\n')
}
