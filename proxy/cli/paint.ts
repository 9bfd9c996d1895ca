/** Colours for a terminal; without one the text as it is. */
export interface Paint {
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
  readonly good: (text: string) => string
  readonly bad: (text: string) => string
  readonly warn: (text: string) => string
}

export function painter (colour: boolean): Paint {
  const by = (on: number, off: number) => (text: string): string => colour && text !== '' ? `\u001b[${on}m${text}\u001b[${off}m` : text
  return { bold: by(1, 22), dim: by(2, 22), good: by(32, 39), bad: by(31, 39), warn: by(33, 39) }
}

/** Columns as wide as their widest cell; `dress` paints a cell after it was measured. The last column is not filled up. */
export function columns (rows: ReadonlyArray<readonly string[]>, dress: (cell: string, column: number, row: number) => string = (cell) => cell): string[] {
  const widths: number[] = []
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length)
  }
  return rows.map((row, r) => row.map((cell, i) => dress(cell, i, r) + (i < row.length - 1 ? ' '.repeat(widths[i]! - cell.length) : '')).join('  ').trimEnd())
}

/** 1500 → "1.5s", 90 → "90ms". */
export function duration (ms: number): string {
  if (ms < 1000) return `${ms}ms`
  return ms % 60_000 === 0 ? `${ms / 60_000}m` : `${ms / 1000}s`
}

/** 10485760 → "10MiB". */
export function size (bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB']
  let at = 0
  let rest = bytes
  while (rest >= 1024 && rest % 1024 === 0 && at < units.length - 1) {
    rest /= 1024
    at++
  }
  return `${rest}${units[at]!}`
}

/** Errors are printed in colour as well: all outputs must be terminals that know colours. An empty NO_COLOR counts as none, as its makers say. */
export function wantsColour (env: Readonly<Record<string, string | undefined>>, outputs: ReadonlyArray<{ readonly isTTY?: boolean }>): boolean {
  return outputs.every(({ isTTY }) => isTTY === true) && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
}
