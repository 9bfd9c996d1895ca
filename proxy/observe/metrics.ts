import { readdirSync, readFileSync } from 'node:fs'
import { monitorEventLoopDelay, type EventLoopUtilization } from 'node:perf_hooks'
import type { DecisionRecord, Exchange, Route, TryRecord } from '../pipeline/exchange.ts'
import type { Gathered } from './gather.ts'
import { metricTable } from './metrics-table.ts'
import type { MetricTable } from './metrics-table.ts'
import { contentTypes, expose, type Form } from './exposition.ts'
import { OTHER, type AnyFamily, type HistogramCell } from './registry.ts'

export interface Metrics {
  /** What an exchange that is over adds. Called once for each. */
  observeExchange (x: Exchange): void
  /** As `observeExchange`, by more labels: those that clients choose. */
  observeClosely (x: Exchange): void
  /** A decision that came after its exchange was over (shadow mode). */
  observeDecision (x: Exchange, decision: DecisionRecord): void
  agentState (agent: string, state: string): void
  /** Forgets an agent's state: it left the configuration. */
  agentGone (agent: string): void
  agentRestarted (agent: string): void
  agentProtocolFault (agent: string, kind: string): void
  configReloaded (success: boolean): void
  upgradeFailed (): void
  /** Asked right before each exposition, to set gauges and totals whose truth lives elsewhere (`table`). Returns how to stop. */
  onScrape (tell: (table: MetricTable) => void): () => void
  /** What other processes count is told together with what this one does. */
  join (gathered: Gathered): void
  /** Families that are not in the table: whoever has them makes them anew for each exposition. */
  also (families: () => readonly AnyFamily[]): void
  /** Brings everything in `table` up to date that is not counted as it happens. `told`: somebody reads it now, and the next time is about what comes after. */
  refresh (told: boolean): void
  /** All series as text: `contentTypes` of the form. */
  render (form?: Form): string
  /** All series, brought up to date, those of other processes added. */
  families (): readonly AnyFamily[]
  /** Of what `render` gives when it is asked for no form. */
  readonly contentType: string
  readonly table: MetricTable
  /** Stops measuring the event loop. */
  close (): void
}

/** A label may not be chosen freely by clients: what is not one of these is "(other)". */
const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH', 'PROPFIND', 'PROPPATCH', 'MKCOL', 'COPY', 'MOVE', 'LOCK', 'UNLOCK', 'REPORT', 'SEARCH', 'QUERY'])
/** Verdicts come from agents by way of the codec; a new word is not a new series. */
const verdicts = new Set(['allow', 'flag', 'review', 'block', 'redirect', 'challenge', 'redact', 'drop', 'replace', 'close', 'failed'])
const NO_ROUTE = '(none)'
/** Characters of what a client chose. */
const longestLabel = 128

/** Strings of statuses, made once. */
const statusTexts = Array.from({ length: 600 }, (_, status) => String(status))

export function createMetrics (options: { version: string }): Metrics {
  const table = metricTable()
  const families = Object.values(table)
  const tellers = new Set<(table: MetricTable) => void>()
  const states = new Map<string, Set<string>>()
  const delay = monitorEventLoopDelay({ resolution: 20 })
  delay.enable()
  const loop = loopUtilization()
  let gathered: Gathered | undefined
  let more = (): readonly AnyFamily[] => []
  const refresh = (told: boolean): void => {
    tellProcess(table)
    tellEventLoop(table, delay)
    table.eventLoopUtilization.cell().set(loop(told))
    if (told) tellDescriptors(table)
    if (told) delay.reset()
    for (const tell of tellers) tell(table)
    for (const family of families) {
      if (family.overflowed > 0) table.seriesOverflow.cell(family.declaration.name).set(family.overflowed)
    }
  }
  const current = (): readonly AnyFamily[] => {
    refresh(true)
    return [...gathered === undefined ? families : gathered.withOwn(table), ...more()]
  }
  table.up.cell().set(1)
  table.buildInfo.cell(options.version, process.version).set(1)
  table.startTime.cell().set(Math.round(performance.timeOrigin) / 1000)
  table.configReloads.cell('success')
  table.configReloads.cell('failure')

  return {
    table,
    contentType: contentTypes.prometheus,
    observeExchange: (x) => observeExchange(table, x),
    observeClosely (x) {
      observeExchange(table, x)
      observeClosely(table, x)
    },
    observeDecision: (x, decision) => observeDecision(table, x.route?.name ?? NO_ROUTE, decision),
    agentState (agent, state) {
      const seen = states.get(agent) ?? new Set()
      states.set(agent, seen.add(state))
      for (const name of seen) table.agentState.cell(agent, name).set(name === state ? 1 : 0)
    },
    agentGone (agent) {
      for (const name of states.get(agent) ?? []) table.agentState.cell(agent, name).set(0)
      states.delete(agent)
    },
    agentRestarted: (agent) => table.agentRestarts.cell(agent).add(),
    agentProtocolFault: (agent, kind) => table.agentProtocolFaults.cell(agent, kind).add(),
    upgradeFailed () {
      table.failedUpgrades.cell().add()
    },
    configReloaded (success) {
      table.configReloads.cell(success ? 'success' : 'failure').add()
      if (success) table.configReloadTime.cell().set(Date.now() / 1000)
    },
    onScrape (tell) {
      tellers.add(tell)
      return () => tellers.delete(tell)
    },
    join (others) { gathered = others },
    also (others) { more = others },
    refresh,
    render: (form) => expose(current(), form),
    families: current,
    close: () => void delay.disable(),
  }
}

function observeExchange (table: MetricTable, x: Exchange): void {
  const route = x.route === undefined ? NO_ROUTE : x.route.name
  const method = methods.has(x.request.method) ? x.request.method : OTHER
  table.requests.cell(route, method, statusTexts[x.reply?.status ?? 0] ?? OTHER).add()
  if (x.reply?.status === 101) {
    table.tunnelDuration.cell(route).observe(x.durationMs / 1000)
    table.tunnelBytes.cell(route, 'in').add(x.requestBytes)
    table.tunnelBytes.cell(route, 'out').add(x.responseBytes)
  } else {
    observe(table.requestDuration.cell(route), x, x.durationMs)
    table.requestBody.cell(route).observe(x.requestBytes)
    table.responseBody.cell(route).observe(x.responseBytes)
  }
  if (x.route?.namespace !== undefined) observeScoped(table, x.route, x)
  if (x.fault !== undefined) table.faults.cell(x.fault.code, x.fault.row.blame).add()
  if (x.cache !== '') (x.cache === 'miss' || x.cache === 'bypass' ? table.cacheMisses : table.cacheHits).cell(route, x.cache).add()
  if (x.upstream !== '') observeUpstream(table, route, x)
  const { decisions } = x
  if (decisions === undefined) return
  for (let i = 0; i < decisions.length; i++) observeDecision(table, route, decisions[i]!)
}

function observeClosely (table: MetricTable, x: Exchange): void {
  const route = x.route === undefined ? NO_ROUTE : x.route.name
  const { method, authority } = x.request
  table.requestsByHost.cell(authority.slice(0, longestLabel), route, statusTexts[x.reply?.status ?? 0] ?? OTHER).add()
  table.requestsByMethod.cell(route, method.slice(0, longestLabel)).add()
  if (x.upstreamMs > 0) table.targetDuration.cell(x.upstream, x.target).observe(x.upstreamMs / 1000)
}

function observeScoped (table: MetricTable, { name: route, namespace = '', service = '' }: Route, x: Exchange): void {
  table.scopedRequests.cell(namespace, service, route, statusTexts[x.reply?.status ?? 0] ?? OTHER).add()
  if (x.reply?.status !== 101) table.scopedDuration.cell(namespace, service, route).observe(x.durationMs / 1000)
  if (x.upstream !== '' && x.tries > 0) table.scopedAttempts.cell(namespace, service, x.upstream, route).add(x.tries)
  if (x.fault?.row.blame === 'upstream') table.scopedFailures.cell(namespace, service, x.upstream, x.fault.code).add()
  if (x.fault?.code === 'RATE_LIMITED') table.scopedRateLimited.cell(namespace, service, route).add()
}

function observeUpstream (table: MetricTable, route: string, x: Exchange): void {
  if (x.tries > 0) table.upstreamAttempts.cell(x.upstream, route).add(x.tries)
  if (x.attempts !== undefined) observeAttempts(table, route, x, x.attempts)
  else if (x.tries > 1) table.upstreamFailures.cell(x.upstream, route, 'retried').add(x.tries - 1)
  if (x.notRetried !== undefined) table.upstreamRetriesDenied.cell(x.upstream, route, x.notRetried).add()
  if (x.fault?.row.blame === 'upstream') table.upstreamFailures.cell(x.upstream, route, x.fault.code).add()
  if (x.upstreamMs > 0) observe(table.upstreamDuration.cell(x.upstream), x, x.upstreamMs)
}

/** A trace that is collected is what a figure can be looked at in. */
function observe (cell: HistogramCell, { trace }: Exchange, ms: number): void {
  if (trace?.sampled === true) cell.observeIn(trace.traceId, ms / 1000, Date.now())
  else cell.observe(ms / 1000)
}

function observeAttempts (table: MetricTable, route: string, x: Exchange, attempts: readonly TryRecord[]): void {
  // The last one is what the exchange came to.
  const last = attempts.at(-1)
  for (const attempt of attempts) {
    const { hedge, status, reason } = attempt
    if (hedge) table.upstreamHedges.cell(x.upstream, route, attempt === last && status > 0 ? 'won' : 'lost').add()
    if (reason === undefined) continue
    table.upstreamRetries.cell(x.upstream, route, reason).add()
    table.upstreamFailures.cell(x.upstream, route, 'retried').add()
  }
}

function observeDecision (table: MetricTable, route: string, d: DecisionRecord): void {
  const verdict = verdicts.has(d.verdict) ? d.verdict : OTHER
  table.agentCalls.cell(d.agent, d.phase, verdict, d.mode).add()
  table.agentLatency.cell(d.agent, d.phase).observe(d.durationMs / 1000)
  if (d.fault?.code === 'AGENT_TIMEOUT') table.agentTimeouts.cell(d.agent, d.phase).add()
  if (d.fault !== undefined) table.agentFailures.cell(d.agent, d.fault.code, d.failureMode ?? 'closed').add()
  else if (d.applied && d.status > 0) table.agentBlocks.cell(d.agent, verdict, route).add()
}

function tellProcess (table: MetricTable): void {
  const memory = process.memoryUsage()
  const cpu = process.cpuUsage()
  table.cpu.cell().set((cpu.user + cpu.system) / 1e6)
  table.residentMemory.cell().set(memory.rss)
  table.heapTotal.cell().set(memory.heapTotal)
  table.heapUsed.cell().set(memory.heapUsed)
  table.externalMemory.cell().set(memory.external)
}

/** The histogram holds the time between two turns of a 20 ms timer; what is above 20 ms is lag. */
function tellEventLoop (table: MetricTable, delay: ReturnType<typeof monitorEventLoopDelay>): void {
  const lag = (nanoseconds: number) => Number.isFinite(nanoseconds) ? Math.max(0, nanoseconds / 1e9 - 0.02) : 0
  const any = delay.count > 0
  table.eventLoopLag.cell('mean').set(any ? lag(delay.mean) : 0)
  table.eventLoopLag.cell('p99').set(any ? lag(delay.percentile(99)) : 0)
  table.eventLoopLag.cell('max').set(any ? lag(delay.max) : 0)
}

/** Gives the share of the time since it was last told. */
function loopUtilization (): (told: boolean) => number {
  let before: EventLoopUtilization = performance.eventLoopUtilization()
  return (told) => {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, before)
    if (told) before = now
    return Number.isFinite(utilization) ? utilization : 0
  }
}

/** Linux alone says so in files. */
function tellDescriptors (table: MetricTable): void {
  try {
    table.openDescriptors.cell().set(readdirSync('/proc/self/fd').length)
    const most = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
    if (most !== undefined) table.mostDescriptors.cell().set(Number(most))
  } catch {
    table.openDescriptors.clear()
    table.mostDescriptors.clear()
  }
}
