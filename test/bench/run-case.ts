import { join } from 'node:path'
import type { Case } from './case.ts'
import type { Certificate, Contender } from './contenders/contender.ts'
import type { Sample } from './figures.ts'
import { begin, type Session } from './session.ts'
import { Unfit } from './unfit.ts'

export interface Row {
  readonly contender: Pick<Contender, 'id' | 'title'>
  readonly samples: readonly Sample[]
  /** Why there are none. */
  readonly skipped: string | undefined
  /** It went wrong, which is more than not being able to. */
  readonly failed: boolean
}

export interface Course {
  readonly folder: string
  readonly upstreamPort: number
  readonly certificate: Certificate
  readonly seconds: number
  readonly rounds: number
  /** Is told each round as it is done. */
  tell (contender: string, sample: Sample): void
}

/** All start, all are warmed up, and then they are measured in turns: a machine that gets slower meanwhile slows everybody. */
export async function runCase (one: Case, wanted: readonly Contender[], course: Course): Promise<Row[]> {
  const rows = wanted.map((contender) => ({ contender, samples: [] as Sample[], skipped: undefined as string | undefined, failed: false }))
  const sessions = new Map<string, Session>()
  /** Who fails once is out: the others go on. */
  const attempt = async (row: typeof rows[number], act: (row: typeof rows[number]) => Promise<void>): Promise<void> => {
    if (row.skipped !== undefined) return
    try {
      await act(row)
    } catch (error) {
      row.skipped = error instanceof Error ? error.message : String(error)
      row.failed = !(error instanceof Unfit)
      row.samples.length = 0
    }
  }
  const inTurns = async (act: (row: typeof rows[number]) => Promise<void>): Promise<void> => {
    for (const row of rows) await attempt(row, act)
  }
  const speeds = new Map<string, number>()
  try {
    await Promise.all(rows.map((row) => attempt(row, async ({ contender }) => {
      sessions.set(contender.id, await begin(one, contender, { ...course, folder: join(course.folder, `${one.id}-${contender.id}`) }))
    })))
    await inTurns(async ({ contender }) => {
      if (one.cold !== true) speeds.set(contender.id, await sessions.get(contender.id)?.warm(warmUpSeconds(one, contender, course.seconds)) ?? 0)
    })
    for (let round = 0; round < Math.min(course.rounds, one.rounds ?? Infinity); round++) {
      await inTurns(async ({ contender, samples }) => {
        const round = await sessions.get(contender.id)?.round(course.seconds, pace(one, contender, speeds))
        if (round === undefined) return
        samples.push(round.sample)
        course.tell(contender.id, round.sample)
      })
    }
  } finally {
    await Promise.all([...sessions.values()].map((session) => session.stop()))
  }
  return rows
}

/** Until the compiler of a JavaScript proxy has settled: the first seconds cost twice as much. */
export function warmUpSeconds (one: Case, { compiles }: Contender, seconds: number): number {
  return compiles ? one.warmUpSeconds ?? seconds * 2 : 1
}

/** Half of what the contender of the case can do, or the measured one when that is less. */
export function pace ({ paceOf }: Case, contender: Pick<Contender, 'id'>, speeds: ReadonlyMap<string, number>): number | undefined {
  if (paceOf === undefined) return undefined
  const own = speeds.get(contender.id) ?? 0
  return Math.round(Math.min(speeds.get(paceOf) ?? own, own) / 2)
}
