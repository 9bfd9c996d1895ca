/** What a path of a request is called below the root. */
export interface FileName {
  /** Without a slash at either end; "" is the root itself. */
  readonly name: string
  /** It ends in a slash: only a folder can be meant. */
  readonly folder: boolean
}

const longestSegment = 255

/**
 * Reads a normalised path (`readPath`) as a name of a file. `undefined` for what can be the name of none, and for what is not served: segments that hold
 * a slash, a backslash or a control character in disguise, dot segments that a rewrite has made, names that are not UTF-8, and hidden ones.
 */
export function nameOf (path: string, dotFiles: boolean): FileName | undefined {
  if (!path.startsWith('/')) return undefined
  const segments = path.slice(1).split('/')
  const folder = segments.at(-1) === ''
  if (folder) segments.pop()
  const names: string[] = []
  for (const segment of segments) {
    const name = decoded(segment)
    if (name === undefined || !isName(name)) return undefined
    names.push(name)
  }
  if (!dotFiles && isHidden(names)) return undefined
  return { name: names.join('/'), folder }
}

/** RFC 8615: what is below `.well-known` is there to be found. */
export function isHidden (names: readonly string[]): boolean {
  return names.some((name, i) => name.startsWith('.') && !(i === 0 && name === '.well-known'))
}

function isName (name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && name.length <= longestSegment && !/[/\\\u0000-\u001f\u007f]/.test(name)
}

function decoded (segment: string): string | undefined {
  if (!segment.includes('%')) return isAscii(segment) ? segment : Buffer.from(segment, 'latin1').toString('utf8')
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}

function isAscii (text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7e) return false
  return true
}
