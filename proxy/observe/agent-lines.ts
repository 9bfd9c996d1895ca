import type { LogFacts } from './facts.ts'
import type { Log, LogLevel } from './log.ts'
import { scrubText } from './redact.ts'

export type AgentStream = 'stdout' | 'stderr'

const MAX_LINE = 16 * 1024
const MAX_MESSAGE = 2_048
const MAX_FACTS = 20
const MAX_FACT = 1_024
/** Lines a second from one agent, and how many it may say at once after a silence. */
const LINES_PER_SECOND = 100
const BURST = 500
const MAX_AGENTS = 1_000

interface Allowance {
  tokens: number
  filledMs: number
  dropped: number
}

/**
 * Puts the lines of agent processes into the proxy's log. An agent is not trusted with it: its lines are bounded in length and
 * rate, cannot claim to come from somebody else, and what was dropped is said.
 */
export function agentLines (log: Log, now: () => number = () => performance.now()) {
  const allowances = new Map<string, Allowance>()
  let summary: NodeJS.Timeout | undefined

  function sayDropped (): void {
    summary = undefined
    for (const [agent, allowance] of allowances) {
      if (allowance.dropped === 0) continue
      log.warn('lines of an agent were dropped: it says too much', { agent, dropped: allowance.dropped, allowed_per_second: LINES_PER_SECOND })
      allowance.dropped = 0
    }
  }

  return {
    merge (agentId: string, stream: AgentStream, line: string): void {
      const text = line.trimEnd()
      if (text === '') return
      if (!take(allowances, agentId, now())) {
        summary ??= setTimeout(sayDropped, 1_000).unref()
        return
      }
      const said = readLine(text, stream)
      log[said.level](said.message, { ...said.facts, agent: agentId })
    },
    close (): void {
      clearTimeout(summary)
      if (summary !== undefined) sayDropped()
    },
  }
}

function take (allowances: Map<string, Allowance>, agent: string, nowMs: number): boolean {
  let allowance = allowances.get(agent)
  if (allowance === undefined) {
    if (allowances.size >= MAX_AGENTS) allowances.clear()
    allowance = { tokens: BURST, filledMs: nowMs, dropped: 0 }
    allowances.set(agent, allowance)
  }
  allowance.tokens = Math.min(BURST, allowance.tokens + (nowMs - allowance.filledMs) / 1_000 * LINES_PER_SECOND)
  allowance.filledMs = nowMs
  if (allowance.tokens < 1) {
    allowance.dropped++
    return false
  }
  allowance.tokens--
  return true
}

interface Said {
  readonly level: LogLevel
  readonly message: string
  readonly facts: LogFacts
}

/** A line of pino's kind keeps its level, message and facts; anything else is a message. */
function readLine (line: string, stream: AgentStream): Said {
  const record = line.length <= MAX_LINE && line.startsWith('{') ? parseObject(line) : undefined
  if (record === undefined) return { level: stream === 'stderr' ? 'warn' : 'info', message: shorten(plain(line), MAX_MESSAGE), facts: {} }
  const { level, msg, message, time: _time, pid: _pid, hostname: _hostname, v: _v, agent: _agent, component: _component, ...rest } = record
  const words = typeof msg === 'string' ? msg : typeof message === 'string' ? message : '(no message)'
  const facts: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(rest).slice(0, MAX_FACTS)) {
    // "event" announces states of the proxy itself ("ready"): an agent's own use of the word gets another key.
    facts[key === 'event' ? 'agent_event' : shorten(key, 64)] = smallFact(value)
  }
  return { level: levelOf(level), message: shorten(plain(words), MAX_MESSAGE), facts }
}

function parseObject (line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}

function levelOf (level: unknown): LogLevel {
  const number = typeof level === 'number' ? level : words[String(level).toLowerCase()] ?? 30
  return number < 30 ? 'debug' : number < 40 ? 'info' : number < 50 ? 'warn' : 'error'
}

const words: Readonly<Record<string, number | undefined>> = {
  trace: 10, debug: 20, info: 30, notice: 30, warn: 40, warning: 40, error: 50, err: 50, critical: 60, fatal: 60,
}

function smallFact (value: unknown): unknown {
  if (typeof value === 'string') return shorten(value, MAX_FACT)
  if (typeof value !== 'object' || value === null) return value
  const text = JSON.stringify(value)
  return text.length <= MAX_FACT ? value : shorten(scrubText(text), MAX_FACT)
}

/** Terminal colours mean nothing in a log. */
function plain (text: string): string {
  return text.includes('\u001b') ? text.replace(/\u001b\[[0-9;]{0,20}[A-Za-z]/g, '') : text
}

function shorten (text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max)}… (${text.length - max} more)`
}
