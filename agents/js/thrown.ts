/** Something that a script threw, or why it cannot be run. Line and column begin with 1. */
export interface Thrown {
  readonly message: string
  readonly line?: number
  readonly column?: number
}

/** `custom.ts:3:9: TypeError: …`, as editors and terminals link it. */
export function placed (file: string, { message, line, column }: Thrown): string {
  return line === undefined ? `${file}: ${message}` : `${file}:${line}${column === undefined || column < 1 ? '' : `:${column}`}: ${message}`
}
