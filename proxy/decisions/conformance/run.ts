import { Fault } from '../../pipeline/faults.ts'
import { AgentLink } from '../by-hand/link.ts'
import type { AgentTarget } from '../settings.ts'
import { bodyChecks } from './body-checks.ts'
import { NotApplicable, type Check, type Checked, type Subject } from './check.ts'
import { handshakeChecks } from './handshake-checks.ts'
import { robustnessChecks } from './robustness-checks.ts'
import { streamChecks } from './stream-checks.ts'

/** In the order in which they are run: what stops the agent comes last. */
export const checks: readonly Check[] = [...handshakeChecks, ...streamChecks, ...bodyChecks, ...robustnessChecks]

export interface ConformanceOptions {
  readonly target: AgentTarget
  readonly timeoutMs: number
  readonly config: string
  readonly pid?: number | undefined
  /** Ids; all when there are none. */
  readonly only: ReadonlySet<string>
  readonly onChecked: (checked: Checked) => void
}

/** Runs the checks one after another. Rejects with a fault when there is nobody who could be checked. */
export async function checkConformance ({ target, timeoutMs, config, pid, only, onChecked }: ConformanceOptions): Promise<Checked[]> {
  const link = await AgentLink.open({ target, timeoutMs })
  const describe = await link.describe().finally(() => link.close())
  const subject: Subject = { target, timeoutMs, config, describe, pid }
  const all: Checked[] = []
  for (const check of checks) {
    if (only.size > 0 && !only.has(check.id)) continue
    const checked = await judge(check, subject)
    all.push(checked)
    onChecked(checked)
  }
  return all
}

async function judge ({ id, rule, run }: Check, subject: Subject): Promise<Checked> {
  const startMs = performance.now()
  const came = (outcome: Checked['outcome'], detail: string): Checked => ({ id, rule, outcome, detail, ms: performance.now() - startMs })
  try {
    await run(subject)
    return came('passed', '')
  } catch (error) {
    if (error instanceof NotApplicable) return came('not-applicable', error.message)
    if (error instanceof Fault) return came('failed', error.detail ?? error.code)
    return came('failed', error instanceof Error ? error.message : String(error))
  }
}
