import type { Check, Checked } from '../decisions/conformance/check.ts'
import { printable } from '../observe/quote.ts'
import { took } from './decision-text.ts'
import { painter } from './paint.ts'

export function listText (checks: readonly Check[]): string {
  const width = Math.max(...checks.map(({ id }) => id.length))
  return checks.map(({ id, rule }) => `${id.padEnd(width)}  ${rule}\n`).join('')
}

export function checkedText ({ id, rule, outcome, detail, ms }: Checked, colour: boolean): string {
  const paint = painter(colour)
  const [word, dress] = { passed: ['passed', paint.good], failed: ['FAILED', paint.bad], 'not-applicable': ['–', paint.dim] }[outcome] as [string, (text: string) => string]
  const more = detail === '' ? '' : `  ${' '.repeat(8)}${dress(printable(detail))}\n`
  return `${dress(word.padEnd(8))}  ${paint.bold(id.padEnd(18))} ${rule} ${paint.dim(took(ms))}\n${more}`
}

export function summaryText (all: readonly Checked[], colour: boolean): string {
  const paint = painter(colour)
  const count = (outcome: Checked['outcome']): number => all.filter((checked) => checked.outcome === outcome).length
  const failed = count('failed')
  const text = `${count('passed')} passed, ${failed} failed, ${count('not-applicable')} not applicable`
  return `${failed > 0 ? paint.bad(text) : paint.good(text)}\n`
}
