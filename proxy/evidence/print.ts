import type { Verification } from './verify.ts'

/** What `sentinel evidence verify` says. Ends with a newline. */
export function printVerification (file: string, result: Verification): string {
  const { records, head, problems, problemCount, notes, dropped } = result
  const lines = [
    ...problems.map(({ line, code, message }) => `${file}:${line}: ${code}: ${message}`),
    ...(problemCount > problems.length ? [`… and ${problemCount - problems.length} more problems`] : []),
    ...notes.map(({ line, message }) => `${file}:${line}: note: ${message}`),
    problemCount === 0
      ? `${file}: the chain is whole: ${counted(records, 'record')}${dropped === 0 ? '' : `, ${dropped} not recorded`}`
      : `${file}: the chain is NOT whole: ${counted(problemCount, 'problem')} in ${counted(records, 'record')}`,
    ...(head.seq === 0 ? [] : [`head: record ${head.seq}, ${head.hash}`]),
  ]
  return `${lines.join('\n')}\n`
}

function counted (count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}
