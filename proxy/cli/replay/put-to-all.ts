import { Fault } from '../../pipeline/faults.ts'
import type { Cases } from './cases.ts'
import { putCases, type Replayed } from './put-cases.ts'
import type { Asked } from './whom.ts'

export interface AgentReport extends Replayed {
  readonly agent: string
  /** Cases in which it was asked. */
  readonly cases: number
}

export interface Report {
  readonly agents: readonly AgentReport[]
  readonly notes: readonly string[]
}

export async function putToAll (found: Cases, { agents, notes }: Asked, ignored: ReadonlySet<string>): Promise<Report> {
  const reports = await Promise.all(agents.map(async ({ name, shown, timeoutMs, connect }): Promise<AgentReport> => {
    const cases = found.cases.filter((one) => one.agents.some(({ agent }) => agent === name))
    const base = { agent: shown, cases: cases.length }
    try {
      const { link, configVersion } = await connect()
      try {
        const replayed = await putCases(cases, { link, describe: await link.describe(), agent: name, configVersion, terms: found.terms, timeoutMs })
        const changes = replayed.changes.flatMap((change) => {
          const what = change.what.filter((one) => !ignored.has(one))
          return what.length === 0 ? [] : [{ ...change, what }]
        })
        return { ...base, ...replayed, changes }
      } finally {
        link.close()
      }
    } catch (error) {
      const why = error instanceof Fault ? error.detail ?? error.code : error instanceof Error ? error.message : String(error)
      return { ...base, asked: 0, changes: [], notAsked: new Map(), broken: why }
    }
  }))
  return { agents: reports, notes: [...found.notes, ...notes] }
}
