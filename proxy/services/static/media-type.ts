import mime from 'mime'

/** Media types by the ending of a name: the operator's first, then those that are registered. */
export function mediaTypes (own: Readonly<Record<string, string>>): (name: string) => string {
  const byEnding = new Map(Object.entries(own).map(([ending, type]) => [ending.replace(/^\./, '').toLowerCase(), type]))
  return (name) => {
    const file = name.slice(name.lastIndexOf('/') + 1).toLowerCase()
    for (let dot = file.indexOf('.'); dot !== -1 && byEnding.size > 0; dot = file.indexOf('.', dot + 1)) {
      const type = byEnding.get(file.slice(dot + 1))
      if (type !== undefined) return type
    }
    return withCharset(mime.getType(file) ?? 'application/octet-stream')
  }
}

/** Texts are in UTF-8 today; without the word, some readers guess otherwise. */
function withCharset (type: string): string {
  return type.startsWith('text/') ? `${type}; charset=utf-8` : type
}
