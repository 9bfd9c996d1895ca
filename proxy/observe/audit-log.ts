import type { DecisionRecord, Exchange } from '../pipeline/exchange.ts'
import { isoTime } from './access-line.ts'
import { safeFacts } from './facts.ts'
import type { LogRecord } from './log.ts'
import { quote } from './quote.ts'
import { redactPath, scrubText } from './redact.ts'

/** Every kind of event that the audit log knows. */
export type AuditType =
  | 'blocked' | 'agent_decision' | 'waf_match' | 'waf_block' | 'rate_limit_exceeded' | 'auth_event' | 'config_change' | 'cert_reload' | 'circuit_breaker_change'
  | 'cache_purge' | 'admin_action' | 'custom'

/** What the proxy says of itself, by the name of the event: whoever says it to the log has said it to the audit log as well. */
const ofLogEvents: Readonly<Record<string, AuditType>> = {
  reloaded: 'config_change', 'reload-failed': 'config_change', ready: 'config_change',
  'certificates-reloaded': 'cert_reload', 'certificate-kept': 'cert_reload', 'certificate-revoked': 'cert_reload',
  'breaker-open': 'circuit_breaker_change', 'breaker-half-open': 'circuit_breaker_change', 'breaker-closed': 'circuit_breaker_change',
  'cache-purged': 'cache_purge',
  'agent-denied': 'auth_event', 'agent-connected': 'auth_event',
  command: 'admin_action', upgraded: 'admin_action', 'upgrade-failed': 'admin_action', stopping: 'admin_action', became: 'admin_action', 'logs-reopened': 'admin_action',
}

export interface AuditOptions {
  readonly logBlocked: boolean
  readonly logAgentDecisions: boolean
  readonly logWafEvents: boolean
  /** All without any. */
  readonly events: readonly string[]
  /** Agents that look for attacks. */
  readonly firewalls: ReadonlySet<string>
}

export interface AuditLog {
  /** The exchange is over. */
  readonly observe: (x: Exchange) => void
  /** A decision that came after that. */
  readonly observeLate: (x: Exchange, decision: DecisionRecord) => void
  /** The program has said something. */
  readonly heard: (record: LogRecord) => void
}

/** `write` takes lines of JSON with their ends. */
export function auditLog (options: AuditOptions, write: (line: string) => void): AuditLog {
  const wants = wantedTypes(options)
  const decided = (x: Exchange, decision: DecisionRecord): void => {
    const type = typeOfDecision(decision, options.firewalls)
    if (wants(type)) write(exchangeLine(type, x, decisionPart(decision)))
  }
  return {
    observe (x) {
      if (x.decisions !== undefined) for (const decision of x.decisions) decided(x, decision)
      const type = typeOfRefusal(x)
      if (type !== undefined && wants(type)) write(exchangeLine(type, x, refusalPart(x)))
    },
    observeLate: decided,
    heard ({ message, facts, foreign }) {
      const { event } = facts
      // What agents write is theirs to choose, and what workers write they have written here themselves.
      if (typeof event !== 'string' || foreign === true || 'worker' in facts || !Object.hasOwn(ofLogEvents, event)) return
      const type = ofLogEvents[event]!
      if (wants(type)) write(ownLine(type, event, message, facts))
    },
  }
}

function wantedTypes ({ logBlocked, logAgentDecisions, logWafEvents, events }: AuditOptions): (type: AuditType) => boolean {
  const named = new Set(events.map((name) => name.replaceAll('-', '_')))
  const off = new Set<AuditType>([
    ...logBlocked ? [] : ['blocked'] as const, ...logAgentDecisions ? [] : ['agent_decision'] as const, ...logWafEvents ? [] : ['waf_match', 'waf_block'] as const,
  ])
  return (type) => !off.has(type) && (named.size === 0 || named.has(type))
}

function typeOfDecision ({ agent, audit, applied, status }: DecisionRecord, firewalls: ReadonlySet<string>): AuditType {
  if (audit === undefined || audit.ruleIds.length === 0 || !firewalls.has(agent)) return 'agent_decision'
  return applied && status > 0 ? 'waf_block' : 'waf_match'
}

/** Who was not let through, and why. */
function typeOfRefusal (x: Exchange): AuditType | undefined {
  const { fault, decisions } = x
  if (fault?.code === 'RATE_LIMITED') return 'rate_limit_exceeded'
  if (fault !== undefined && fault.row.blame === 'client') {
    const { status } = fault.row
    return status === 401 || status === 407 ? 'auth_event' : status === 403 || status === 429 || status === 400 ? 'blocked' : undefined
  }
  if (fault?.row.blame === 'agent') return 'blocked'
  return decisions?.some(({ applied, status }) => applied && status > 0) === true ? 'blocked' : undefined
}

function exchangeLine (type: AuditType, x: Exchange, rest: string): string {
  const { request, route } = x
  return `{"timestamp":"${isoTime(Date.now())}","event_type":"${type}","request_id":"${x.id}","method":${quote(request.method, 64)},"path":${quote(redactPath(request.rawPath), 2048)}` +
    `,"host":${quote(request.authority, 256)},"client_ip":${quote(x.clientIp)}${route === undefined ? '' : `,"route_id":${quote(route.name)}`}` +
    `,"status":${x.reply?.status ?? 0}${rest}}\n`
}

function decisionPart ({ agent, phase, tool, mode, verdict, applied, fault, failureMode, audit, ticket }: DecisionRecord): string {
  let part = `,"agent_id":${quote(agent)},"action":${quote(verdict, 64)},"phase":"${phase}","mode":"${mode}","applied":${String(applied)}`
  if (tool !== undefined) part += `,"tool":${quote(scrubText(tool.slice(0, 128)), 128)}`
  if (fault !== undefined) part += `,"fault":"${fault.code}","failure_mode":"${failureMode ?? 'closed'}"`
  if (ticket !== undefined) part += `,"ticket":${quote(ticket, 128)}`
  if (audit === undefined) return part
  const { reason, ruleIds, tags, severity } = audit
  if (reason !== '') part += `,"reason":${quote(scrubText(reason.slice(0, 512)), 512)}`
  if (ruleIds.length > 0) part += `,"rule_ids":${listOf(ruleIds)}`
  if (tags.length > 0) part += `,"tags":${listOf(tags)}`
  return severity === 'unspecified' ? part : `${part},"severity":"${severity}"`
}

const mostItems = 32

function listOf (items: readonly string[]): string {
  return `[${items.slice(0, mostItems).map((item) => quote(scrubText(item.slice(0, 128)), 128)).join(',')}]`
}

function refusalPart ({ fault, decisions = [] }: Exchange): string {
  if (fault !== undefined) return `,"action":"refuse","reason":"${fault.code}"${fault.detail === undefined ? '' : `,"detail":${quote(scrubText(fault.detail.slice(0, 512)), 512)}`}`
  const by = decisions.find(({ applied, status }) => applied && status > 0)
  return by === undefined ? '' : `,"action":${quote(by.verdict, 64)},"reason":"agent","agent_id":${quote(by.agent)}`
}

function ownLine (type: AuditType, event: string, message: string, { event: _event, component: _component, ...facts }: LogRecord['facts']): string {
  const details = JSON.stringify(safeFacts(facts))
  return `{"timestamp":"${isoTime(Date.now())}","event_type":"${type}","action":${quote(event, 64)},"message":${quote(scrubText(message), 1024)}` +
    `${details === '{}' ? '' : `,"details":${details}`}}\n`
}
