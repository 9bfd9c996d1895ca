import type { AuditFacts, DecisionRecord, Exchange } from '../../proxy/pipeline/exchange.ts'
import { exchangeOf } from './exchange.ts'

/** What a firewall that blocks says; change what matters. */
export function decisionOf (given: Partial<DecisionRecord> = {}): DecisionRecord {
  return {
    agent: 'waf', phase: 'request-headers', tool: undefined, mode: 'enforce', verdict: 'block', applied: true, durationMs: 0.25, status: 403,
    fault: undefined, failureMode: undefined, audit: auditOf(), ticket: undefined, configVersion: 'cfg-1', ...given,
  }
}

export function auditOf (given: Partial<AuditFacts> = {}): AuditFacts {
  return { ruleIds: ['942100'], tags: ['attack-sqli'], reason: 'sqli', severity: 'critical', confidence: 0.9, redactions: [], details: {}, ...given }
}

/** An exchange that is over, with these decisions. */
export function decided (target: string, ...decisions: DecisionRecord[]): Exchange {
  const x = exchangeOf({ target })
  for (const decision of decisions) x.recordDecision(decision)
  return x
}
