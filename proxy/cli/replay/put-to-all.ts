import { Fault } from '../../pipeline/faults.ts'
import { whyNobody } from '../agent-target.ts'
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
      const why = error instanceof Fault ? whyNobody(error.detail ?? error.code) : error instanceof Error ? error.message : String(error)
      return { ...base, asked: 0, changes: [], notAsked: new Map(), broken: why }
    }
  }))
  return { agents: reports, notes: [...found.notes, ...notes, ...alone(reports)] }
}

/** What one of a chain decides now may keep the next from being asked, or show it another request. */
function alone (reports: readonly AgentReport[]): string[] {
  return reports.length < 2 || reports.every(({ changes }) => changes.length === 0) ? [] : ['each agent was asked on its own, with what those before it had decided when it was recorded: what they decide now was not shown to those after them']
}
