import type { HeaderList } from './headers.ts'

/** Value of the first cookie of that name, as it was sent (RFC 6265 section 4.2). */
export function cookieOf (headers: HeaderList, name: string): string | undefined {
  for (const line of headers.getAll('cookie')) {
    for (let at = line.indexOf(name); at !== -1; at = line.indexOf(name, at + 1)) {
      const after = at + name.length
      if (line[after] !== '=' || !beginsAt(line, at)) continue
      const end = line.indexOf(';', after)
      const value = line.slice(after + 1, end === -1 ? undefined : end).trim()
      return value.length > 1 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value
    }
  }
  return undefined
}

/** Only blanks are between it and the last ";". */
function beginsAt (line: string, at: number): boolean {
  for (let i = at - 1; i >= 0; i--) {
    if (line[i] === ';') return true
    if (line[i] !== ' ' && line[i] !== '\t') return false
  }
  return true
}
