import type { LogField, Template } from '../../config/sentinel/index.ts'
import type { Exchange } from '../pipeline/exchange.ts'
import { isSampled } from '../pipeline/sampling.ts'
import { chosenFields, headersPart, type Chosen } from './access-fields.ts'
import { combinedLine, commonLine, jsonLine, terminatedBy } from './access-line.ts'
import { templateLine, type FactOf } from './access-template.ts'

export interface AccessLogOptions extends Partial<Chosen> {
  readonly format: 'json' | 'combined' | 'common' | 'custom'
  /** Of `custom`. */
  readonly template?: Template | undefined
  readonly factOf?: FactOf
  /** Of JSON: what a line has, in this order. Everything without it. */
  readonly fields?: readonly LogField[]
  /** Share of the requests that get a line; default 1. */
  readonly sampleRate?: number
  /** Those that failed get one in any case. */
  readonly alwaysLogErrors?: boolean
}

/** One line for one exchange that is over, or none. Decided once what lines are like; `write` takes them with their ends. */
export function accessLog (options: AccessLogOptions, write: (line: string) => void): (x: Exchange) => void {
  const lineOf = lineOfFormat(options)
  const { sampleRate = 1, alwaysLogErrors = true } = options
  const record = (x: Exchange): void => write(lineOf(x, Date.now()))
  if (sampleRate === 1) return record
  return (x) => {
    if (isSampled(x.trace?.traceId ?? x.id, sampleRate) || x.trace?.sampled === true || alwaysLogErrors && isFailed(x)) record(x)
  }
}

type LineOf = (x: Exchange, nowMs: number) => string

function lineOfFormat (options: AccessLogOptions): LineOf {
  const { format, template, factOf, fields = [], attributes = [], requestHeaders = [], responseHeaders = [], instance = '' } = options
  const chosen = { attributes, requestHeaders, responseHeaders, instance }
  if (format === 'combined') return combinedLine
  if (format === 'common') return commonLine
  if (format === 'custom') return templateLine(template ?? [], factOf ?? unknownFact)
  if (fields.length > 0) return chosenFields(fields, chosen)
  if (requestHeaders.length + responseHeaders.length === 0) return (x, nowMs) => jsonLine(x, nowMs, attributes)
  const headers = headersPart(chosen)
  return (x, nowMs) => jsonLine(x, nowMs, attributes, headers(x, nowMs))
}

/** Nothing whole was delivered, or somebody stopped it. */
function isFailed (x: Exchange): boolean {
  return x.fault !== undefined || x.reply === undefined || x.reply.status >= 500 || terminatedBy(x) !== 'none'
}

function unknownFact (variable: string): never {
  throw new Error(`no fact is called ${variable}`)
}
