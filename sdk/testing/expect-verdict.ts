import { AssertionError } from 'node:assert'
import { isDeepStrictEqual } from 'node:util'
import type { HeaderEdit } from '../../proto/codec/index.ts'
import type { TestExchange } from './exchange.ts'
import type { Verdict } from './verdict.ts'

/** What a test expects of a verdict; what is left out may be anything. */
export interface ExpectedVerdict extends Partial<Omit<Verdict, 'requestHeaders' | 'responseHeaders' | 'attributes' | 'audit'>> {
  /** The audit's reason. */
  readonly reason?: string
  /** The audit's rules, in order. */
  readonly ruleIds?: readonly string[]
  /** What the request has of these fields after its edits: a value, or null for removed. Others may be edited, too. */
  readonly requestHeaders?: Readonly<Record<string, string | null>>
  /** The same of the response. */
  readonly responseHeaders?: Readonly<Record<string, string | null>>
  /** Facts it stated, others may be there, too; "" for removed. */
  readonly attributes?: Readonly<Record<string, string>>
}

/** Compares a verdict with what a test expects, and throws an AssertionError that tells everything that differs, and what was decided instead. */
export function expectVerdict (verdict: Verdict & Partial<Pick<TestExchange, 'about'>>, expected: ExpectedVerdict): void {
  const actual = factsOf(verdict, expected)
  const wrong = Object.keys(expected).filter((key) => !isDeepStrictEqual(Reflect.get(actual, key), Reflect.get(expected, key)))
  if (wrong.length === 0) return
  const rows = wrong.map((key) => `  ${key}: ${JSON.stringify(Reflect.get(actual, key)) ?? 'nothing'}\n    expected: ${JSON.stringify(Reflect.get(expected, key))}\n`)
  const message = `${verdict.about === undefined ? 'The' : `${verdict.about}: the`} verdict is not what was expected.\n${rows.join('')}  the agent decided: ${inWords(verdict)}`
  throw new AssertionError({ message, actual, expected, operator: 'expectVerdict', stackStartFn: expectVerdict })
}

/** The members that are compared, in the form in which they are expected. */
function factsOf (verdict: Verdict, expected: ExpectedVerdict): object {
  const { requestHeaders, responseHeaders, attributes } = expected
  return {
    ...verdict,
    reason: verdict.audit.reason,
    ruleIds: verdict.audit.ruleIds,
    requestHeaders: requestHeaders === undefined ? undefined : editedFields(verdict.requestHeaders, requestHeaders),
    responseHeaders: responseHeaders === undefined ? undefined : editedFields(verdict.responseHeaders, responseHeaders),
    attributes: attributes === undefined ? undefined : Object.fromEntries(Object.keys(attributes).flatMap((name) => {
      const value = verdict.attributes[name]
      return value === undefined ? [] : [[name, value]]
    })),
  }
}

/** Of these fields, what the edits leave: the last word counts, what is appended is joined. */
function editedFields (edits: readonly HeaderEdit[], wanted: object): Record<string, string | null> {
  const left: Record<string, string | null> = {}
  for (const name of Object.keys(wanted)) {
    for (const edit of edits) {
      if (edit.name.toLowerCase() !== name.toLowerCase()) continue
      const before = left[name]
      left[name] = edit.action === 'remove' ? null : edit.action === 'append' && typeof before === 'string' ? `${before}, ${edit.value}` : edit.value
    }
  }
  return left
}

function inWords ({ kind, status, audit, error, requestHeaders, responseHeaders }: Verdict): string {
  const field = ({ action, name, value }: HeaderEdit): string => action === 'remove' ? `${name} removed` : `${name}: ${value}`
  return [
    status === 0 ? kind : `${kind} ${status}`,
    ...error === undefined ? [] : [`${error.code}: ${error.message}`],
    ...audit.reason === '' ? [] : [`reason ${audit.reason}`],
    ...requestHeaders.map((edit) => `request ${field(edit)}`),
    ...responseHeaders.map((edit) => `response ${field(edit)}`),
  ].join(', ')
}
