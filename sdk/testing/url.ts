export interface UrlParts {
  readonly scheme: string
  readonly authority: string
  readonly rawPath: string
  readonly path: string
  readonly query: string
}

/** "/path?query" or an absolute URL, taken apart as the proxy does; nothing of it is decoded on the way. */
export function partsOfUrl (url: string): UrlParts {
  const parts = /^(?:(https?):\/\/([^/?#]+))?([^?#]*)(?:\?([^#]*))?/.exec(url) ?? []
  const [, scheme = 'http', authority = 'agent.test', rawPath = '', query = ''] = parts
  return { scheme, authority: authority.toLowerCase(), rawPath: rawPath || '/', path: normalPath(rawPath || '/'), query }
}

/** RFC 3986 section 6.2.2, with repeated slashes merged. */
function normalPath (raw: string): string {
  const decoded = raw.replace(/%([0-9a-f]{2})/gi, (escape, hex: string) => {
    const char = String.fromCharCode(parseInt(hex, 16))
    return /[A-Za-z0-9\-._~]/.test(char) ? char : escape.toUpperCase()
  })
  const kept: string[] = []
  const segments = decoded.split('/')
  for (const [i, segment] of segments.entries()) {
    const isLast = i === segments.length - 1
    if (segment === '..') kept.pop()
    else if (segment !== '.' && segment !== '') kept.push(segment)
    if (isLast && kept.length > 0 && (segment === '' || segment === '.' || segment === '..')) kept.push('')
  }
  return '/' + kept.join('/')
}
