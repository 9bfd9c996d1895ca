import type { FileRun } from './run-file.ts'

export interface NamedRun extends FileRun {
  /** Relative to test/, without the extension. */
  readonly file: string
}

/** Of what went wrong, in the summary. */
const shownLines = 12
const shownColumns = 300

const colour = process.stdout.isTTY && process.env['NO_COLOR'] === undefined

/** One line for a file; everything about its failures. */
export function printFile (run: NamedRun): void {
  const failed = failuresOf(run)
  const counts = [`${run.passed} passed`]
  if (failed > 0) counts.push(`${failed} failed`)
  if (run.skips.length > 0) counts.push(`${run.skips.length} skipped`)
  const sign = failed > 0 ? paint(31, '✗') : paint(32, '✓')
  print(`${sign} ${run.file.padEnd(58)} ${counts.join(', ')} (${(run.durationMs / 1000).toFixed(1)} s)`)
  for (const failure of run.failures) {
    print(`    ${paint(31, failure.path.join(' › '))}`)
    print(indent(failure.error, 6))
  }
  for (const problem of run.problems) print(`    ${paint(31, `the file ${problem}`)}`)
  if (failed > 0 && run.output !== '') print(`    it printed:\n${indent(run.output, 6)}`)
}

/** Ends with the line that counts. Returns the number of failures. */
export function printSummary (runs: readonly NamedRun[], durationMs: number): number {
  const skipped = runs.flatMap((run) => run.skips.map((skip) => `  ${run.file}: ${skip.path.join(' › ')} (${skip.reason})`))
  const broken = runs.filter((run) => failuresOf(run) > 0)
  print('')
  if (skipped.length > 0) print(`Skipped:\n${skipped.join('\n')}\n`)
  if (broken.length > 0) {
    print('Failed:')
    for (const run of broken) {
      for (const failure of run.failures) print(`  ${run.file}: ${failure.path.join(' › ')}\n${indent(beginningOf(failure.error), 6)}`)
      for (const problem of run.problems) print(`  ${run.file}: the file ${problem}`)
    }
    print('')
  }
  print(`${runs.length} files, ${(durationMs / 1000).toFixed(0)} s`)
  const passed = runs.reduce((sum, run) => sum + run.passed, 0)
  const failed = runs.reduce((sum, run) => sum + failuresOf(run), 0)
  print(`${passed} passed, ${failed} failed, ${skipped.length} skipped`)
  return failed
}

/** Enough to know what it is about: all of it stands further above. */
function beginningOf (text: string): string {
  return text.split('\n').slice(0, shownLines).map((line) => line.slice(0, shownColumns)).join('\n')
}

function failuresOf (run: FileRun): number {
  return run.failures.length + run.problems.length
}

function paint (code: number, text: string): string {
  return colour ? `\u001b[${code}m${text}\u001b[0m` : text
}

function indent (text: string, by: number): string {
  return text.split('\n').map((line) => `${' '.repeat(by)}${line}`).join('\n')
}

function print (line: string): void {
  process.stdout.write(`${line}\n`)
}
