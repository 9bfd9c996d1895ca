/** The two readings of a request path that matter: what is judged, and what is sent on. */
export interface PathReading {
  /** Normalised (RFC 3986 section 6.2.2): unreserved characters decoded, dot segments resolved, slashes merged. */
  readonly path: string
  /**
   * For the upstream: the path as received, or the normalised one when it holds dot segments in any disguise
   * (`%2e`, `..%2f`, `..\`, `..;`). Servers disagree about those, and a path that the upstream reads in another way than
   * the route that was matched is how access rules are walked around.
   */
  readonly upstreamPath: string
}

/** Nothing to normalise: the common case, decided by one scan. */
const plain = /^(?:\/(?!\.)[A-Za-z0-9\-_~!$&'()*+,=:@.]*)+$/

/** Reads the path of a request target (no query). `*` (OPTIONS) stays as it is. */
export function readPath (raw: string): PathReading {
  if (plain.test(raw) && !raw.includes('//')) return { path: raw, upstreamPath: raw }
  if (raw === '*' || raw === '') return { path: raw === '' ? '/' : raw, upstreamPath: raw === '' ? '/' : raw }
  const decoded = raw.replace(/%([0-9a-fA-F]{2})/g, decodeUnreserved)
  const hidden = hasHiddenDots(decoded)
  const path = resolveSegments(hidden ? decoded.replace(/%2F|%5C|\\/g, '/') : decoded)
  return { path, upstreamPath: hidden || hasDots(decoded) ? path : raw }
}

/** Decodes ALPHA, DIGIT, "-", ".", "_", "~"; everything else stays encoded, in upper case. */
function decodeUnreserved (escape: string, hex: string): string {
  const char = String.fromCharCode(Number.parseInt(hex, 16))
  return /[A-Za-z0-9\-._~]/.test(char) ? char : escape.toUpperCase()
}

function hasDots (path: string): boolean {
  return path.split('/').some(isDotSegment)
}

/** Dot segments that only show when encoded slashes and backslashes count as slashes. */
function hasHiddenDots (path: string): boolean {
  return /%2F|%5C|\\/.test(path) && path.split(/\/|%2F|%5C|\\/).some(isDotSegment)
}

/** `.`, `..` and the same with path parameters behind, which some servers cut off before they resolve (`..;x=1`). */
function isDotSegment (segment: string): boolean {
  return /^\.\.?(?:;.*|%3B.*)?$/.test(segment)
}

function resolveSegments (path: string): string {
  const kept: string[] = []
  const segments = path.split('/')
  for (const segment of segments) {
    if (isDotSegment(segment)) {
      if (segment.startsWith('..')) kept.pop()
    } else if (segment !== '') {
      kept.push(segment)
    }
  }
  const last = segments.at(-1)!
  const trailing = kept.length > 0 && (last === '' || isDotSegment(last)) ? '/' : ''
  return '/' + kept.join('/') + trailing
}
