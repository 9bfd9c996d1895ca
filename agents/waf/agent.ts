import { allow, block, ConfigRefused, defineAgent, flag, refuse } from 'sentinel/sdk'
import type { AgentRequest, Context, Decision } from 'sentinel/sdk'
import { collectBody } from './engine/body.ts'
import { collectHead, isExcluded } from './engine/collect.ts'
import type { Engine, Verdict } from './engine/inspection.ts'
import { createEngine, Inspection } from './engine/inspection.ts'
import type { InspectedRequest } from './engine/request.ts'
import { rules } from './rules/index.ts'
import { readOwnRules } from './rules/own.ts'
import type { Severity } from './rules/rule.ts'
import { wafSettings } from './settings.ts'
import type { WafConfig } from './settings.ts'

const maxValues = 20_000
/** Characters of head and body together, as a multiple of the longest body: values that are looked at twice count twice. */
const charactersPerBodyByte = 4
const charactersOfHead = 512 * 1024

type WafContext = Context<WafConfig, Engine>

/** Kept from the header phase to the body phase, so that both add to one score. */
interface Begun {
  readonly request: InspectedRequest
  readonly inspection: Inspection
}

/** The web application firewall: asks the engine, turns its verdict into a decision. */
export const waf = defineAgent({
  name: 'waf',
  version: '0.1.0',
  config: wafSettings,
  requestBody: 'buffer',
  prepare: engineOf,

  onRequest (request, context) {
    const { config } = context
    const inspected = inspectedRequest(request)
    if (isExcluded(inspected, config.excludePaths)) return undefined
    const inspection = new Inspection(context.state, rulesOff(inspected, request.authority, config.exclusion))
    collectHead(inspected, inspection)
    if (request.hasBody && config.bodyInspection && isOfType(inspected, config.contentTypes)) {
      context.memory.set(begun, { request: inspected, inspection } satisfies Begun)
      if ((request.contentLength ?? 0) > config.maxBodySize) inspection.anomaly('body-too-large')
    }
    return decide(inspection.verdict(), request, context)
  },

  onRequestBody (body, request, context) {
    // Only this key is ever set, and only above. Absent: excluded, or bodies are not inspected.
    const earlier = context.memory.get(begun) as Begun | undefined
    if (earlier === undefined) return undefined
    // Buffer mode with over="prefix" hands over the beginning of a longer body: what is not seen is not let through.
    const truncated = request.bodyTruncated
    const { maxBodySize: maxBytes, maxDecompressedSize = maxBytes, maxDecompressionRatio: maxRatio } = context.config
    const limits = { maxBytes, maxUnpackedBytes: Math.min(maxBytes, maxDecompressedSize), maxRatio, wholeFiles: context.config.paranoiaLevel >= 2 }
    collectBody(earlier.request, body, truncated, limits, earlier.inspection)
    return decide(earlier.inspection.verdict(), request, context)
  },
})

const begun = Symbol('inspection of the head')

function engineOf (config: WafConfig): Engine {
  const own = readOwnRules(config.customRules, new Set(rules.map((rule) => rule.id)))
  if (own.problems.length > 0) throw new ConfigRefused(own.problems.map((message) => ({ path: ['custom-rules'], message })))
  const all = [...rules, ...own.rules]
  const known = new Set(all.map((rule) => rule.id))
  const check = (ids: readonly string[], path: readonly string[]): void => {
    for (const [index, id] of ids.entries()) {
      if (!known.has(id)) throw refuse([...path, String(index)], `there is no rule '${id}'`, nearestRule(id))
    }
  }
  check(config.rulesDisabled, ['rules-disabled'])
  for (const [index, { rules: ids }] of config.exclusion.entries()) check(ids, ['exclusion', String(index), 'rules'])
  return createEngine({
    rules: all,
    paranoia: config.paranoiaLevel,
    disabled: config.rulesDisabled,
    threshold: config.threshold,
    maxCharacters: config.maxBodySize * charactersPerBodyByte + charactersOfHead,
    maxValues,
  })
}

/** Rules that the operator switched off for this path or this host. */
function rulesOff (request: InspectedRequest, authority: string, exclusions: WafConfig['exclusion']): ReadonlySet<string> | undefined {
  if (exclusions.length === 0) return undefined
  const host = authority.toLowerCase().replace(/:\d*$/, '')
  const here = exclusions.filter((one) => (one.host === undefined || one.host === host) && (one.path === undefined || isExcluded(request, [one.path])))
  return new Set(here.flatMap((one) => one.rules))
}

function isOfType ({ headers }: InspectedRequest, types: readonly string[]): boolean {
  if (types.length === 0) return true
  const given = headers.filter(([name]) => name.toLowerCase() === 'content-type').map(([, value]) => value)
  const [value] = given
  if (value === undefined || given.length > 1 || value.includes(',')) return true
  const type = /^[^;]*/.exec(value)![0].trim().toLowerCase()
  return types.some((one) => one.toLowerCase() === type || one.toLowerCase() === `${type.split('/', 1)[0]}/*`)
}

/** Rules of the same family, which is what somebody with a half-remembered id needs. */
function nearestRule (id: string): string {
  const family = id.split('-')[0] ?? ''
  const same = rules.filter((rule) => rule.id.startsWith(`${family}-`)).map((rule) => rule.id)
  return same.length === 0 ? 'the ids are listed in the README of the waf agent' : `rules of that family: ${same.slice(0, 12).join(' ')}`
}

function inspectedRequest (request: AgentRequest): InspectedRequest {
  return { method: request.method, rawPath: request.rawPath, path: request.path, query: request.query, headers: [...request.headers] }
}

function decide (verdict: Verdict, request: AgentRequest, context: WafContext): Decision | undefined {
  if (verdict.hits.length === 0) return undefined
  const attributes = { 'waf.score': String(verdict.score) }
  if (!verdict.blocked) return allow({ attributes })
  const extras = context.config.auditLog ? { attributes, audit: auditOf(verdict, context.config) } : { attributes }
  if (context.config.mode === 'detect') return flag(extras)
  const { blockStatus, blockMessage } = context.config
  return block(blockStatus, {
    ...extras,
    // Neither rules nor score: they would tell an attacker how to go on.
    body: `${blockMessage}\nRequest id: ${request.id}\n`,
    headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store', 'x-waf-blocked': 'true' },
  })
}

const severities = { critical: 'critical', error: 'high', warning: 'medium', notice: 'low' } as const satisfies Record<Severity, string>

/** Where and what, never the matched text: evidence holds no payload. */
function auditOf (verdict: Verdict, config: WafConfig) {
  const { hits, score, category, severity } = verdict
  return {
    ruleIds: hits.map((hit) => hit.rule.id),
    tags: [...new Set(hits.map((hit) => hit.rule.category))],
    reason: category ?? 'protocol',
    severity: severities[severity ?? 'notice'],
    // One critical rule alone is right most of the time; agreement of several makes it sure.
    confidence: Math.min(1, 0.5 + score / (config.threshold * 8)),
    details: {
      score: String(score),
      threshold: String(config.threshold),
      places: hits.slice(0, 10).map((hit) => hit.name === '' ? hit.target : `${hit.target}:${hit.name}`).join(' '),
    },
  }
}
