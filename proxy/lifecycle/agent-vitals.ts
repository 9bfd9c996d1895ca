import type { AgentConfig } from '../../config/sentinel/index.ts'
import { AgentReports } from '../observe/agent-reports.ts'
import type { Log } from '../observe/log.ts'
import type { Metrics } from '../observe/metrics.ts'

/** What agents say of themselves, on the page of metrics. */
export function agentReports (log: Log, metrics: Metrics, agents: () => readonly Pick<AgentConfig, 'id'>[]): AgentReports {
  const reports = new AgentReports({
    refused: (agent, metric, why) => log.warn(`the metric ${JSON.stringify(metric)} of agent '${agent}' is not shown: ${why}`, { component: 'agent', event: 'agent-metric-refused', agent }),
  })
  metrics.also(() => reports.families())
  metrics.onScrape((table) => {
    reports.forget(new Set(agents().map(({ id }) => id)))
    const { agentHealth, agentOpenExchanges, agentQueued, agentAnswered, agentMeanSeconds } = table
    for (const family of [agentHealth, agentOpenExchanges, agentQueued, agentAnswered, agentMeanSeconds]) family.clear()
    for (const { id } of agents()) {
      const vitals = reports.vitals(id)
      if (vitals === undefined) continue
      agentAnswered.cell(id, 'decision').set(vitals.answered - vitals.failed)
      agentAnswered.cell(id, 'error').set(vitals.failed)
      if (vitals.processes === 0) continue
      for (const health of ['serving', 'degraded', 'draining'] as const) agentHealth.cell(id, health).set(health === vitals.health ? 1 : 0)
      agentOpenExchanges.cell(id).set(vitals.openExchanges)
      agentQueued.cell(id).set(vitals.queued)
      if (vitals.meanMs !== undefined) agentMeanSeconds.cell(id).set(vitals.meanMs / 1000)
    }
  })
  return reports
}
