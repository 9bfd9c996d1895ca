import { emptyAudit, noEntries, type Audit, type Findings as WireFindings, type Guardrail, type Inspection as WireInspection } from '../proto/codec/index.ts'
import { AgentFailure } from './failure.ts'

/** What texts are looked through for. */
export type Inspection = Exclude<WireInspection, 'unspecified' | 'unrecognized'>

/** Texts that the operator wants looked through. */
export interface GuardrailInspection {
  /** What is looked for. */
  readonly inspection: Inspection
  /** In order. What is spread over several of them belongs together. */
  readonly texts: readonly { readonly role: string, readonly text: string }[]
  /** Kinds that are to be found; all that the agent knows when empty. */
  readonly categories: readonly string[]
  /** The model that the request names; may be empty. */
  readonly model: string
}

/** One thing that was found. */
export interface Finding {
  /** For instance "email": letters, digits, and `_ . : / -` and blanks. */
  readonly category: string
  /** 0–1; 1 unless given. */
  readonly confidence?: number
  /** Which of the texts; the first unless given. */
  readonly text?: number
  /** Characters of that text, as `slice(start, end)` takes them. Without them: the text as a whole. */
  readonly start?: number
  /** Behind its last character. */
  readonly end?: number
}

/** What a handler of guardrails gives. Nothing means that nothing was found. */
export interface Findings {
  /** Without it: whether there are findings. */
  readonly detected?: boolean
  /** Of all of it, 0–1; the highest of the findings unless given. */
  readonly confidence?: number
  /** Each thing that was found. */
  readonly findings?: readonly Finding[]
  /** Facts for log and evidence; clients never see them. */
  readonly audit?: Partial<Omit<Audit, 'details'>> & { readonly details?: Readonly<Record<string, string>> }
}

// `void`, so that a handler may simply end.
/** What a handler of guardrails may return. */
export type MaybeFindings = Findings | undefined | void
/** The same at once or later. */
export type Inspected = MaybeFindings | Promise<MaybeFindings>

/** The event as a handler gets it. Throws `AgentFailure` for an inspection that this version does not know. */
export function inspectionOf ({ inspection, texts, categories, model }: Guardrail): GuardrailInspection {
  if (inspection === 'unspecified' || inspection === 'unrecognized') throw new AgentFailure('unknown_inspection', 'an inspection of a kind that this version does not know')
  return { inspection, texts, categories, model }
}

/** What a handler gave, as the protocol has it. Throws `AgentFailure` for what is none: silence must not come of a typing error. */
export function wireFindings (given: unknown, { texts }: Guardrail): WireFindings {
  if (given === undefined) return { detected: false, confidence: 0, findings: [], audit: undefined }
  if (!isFindings(given)) throw new AgentFailure('bad_answer', 'onGuardrail returned something that is not { detected, findings }')
  const { findings = [], audit } = given
  const detected = given.detected ?? findings.length > 0
  const all = findings.map(({ category, confidence = 1, text = 0, start = 0, end = 0 }) => {
    const of = texts[text]?.text
    if (of === undefined) throw new AgentFailure('bad_answer', `a finding in text ${text}, which there is not`)
    if (start !== 0 || end !== 0) checkSpan(start, end, of)
    return { category, confidence, text, start: Buffer.byteLength(of.slice(0, start)), end: Buffer.byteLength(of.slice(0, end)) }
  })
  return {
    detected,
    confidence: given.confidence ?? (detected ? Math.max(0, ...all.map(({ confidence }) => confidence)) : 0),
    findings: all,
    audit: audit === undefined ? undefined : { ...emptyAudit, ...audit, details: audit.details ? new Map(Object.entries(audit.details)) : noEntries },
  }
}

function isFindings (given: unknown): given is Findings {
  return typeof given === 'object' && given !== null && ('detected' in given || 'findings' in given)
}

function checkSpan (start: number, end: number, text: string): void {
  if (!Number.isInteger(start) || !Number.isInteger(end) || start < 0 || end <= start || end > text.length) {
    throw new AgentFailure('bad_answer', `a finding from ${start} to ${end} of a text of ${text.length} characters`)
  }
}
