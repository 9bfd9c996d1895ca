import { HeaderList } from '../pipeline/headers.ts'
import { fieldMembers } from './directives.ts'
import { listItems } from '../pipeline/headers.ts'

/** Fields of one connection, and of the framing of one message (RFC 9111 section 3.1). */
const ofOneMessage = new Set([
  'connection', 'keep-alive', 'proxy-authenticate', 'proxy-authentication-info', 'proxy-authorization', 'proxy-connection', 'te', 'trailer', 'transfer-encoding',
  'upgrade', 'content-length', 'age', 'x-request-id',
])

/** Fields that describe the body that is kept: a 304 does not change them (RFC 9111 section 3.2). */
const ofTheBody = new Set(['content-encoding', 'content-md5', 'content-range', 'content-length', 'etag'])

/** Field lines that are kept of an answer. */
export function keptFields (headers: HeaderList): string[] {
  const named = new Set(headers.getAll('connection').flatMap(listItems))
  const kept: string[] = []
  for (const [name, value] of headers) {
    const lower = name.toLowerCase()
    if (!ofOneMessage.has(lower) && !named.has(lower)) kept.push(name, value)
  }
  return kept
}

/** The kept field lines with what a 304 says anew (RFC 9111 section 3.2). */
export function updatedFields (kept: readonly string[], fresh: HeaderList): string[] {
  const anew = keptFields(fresh)
  const replaced = new Set<string>()
  for (let i = 0; i < anew.length; i += 2) {
    const lower = anew[i]!.toLowerCase()
    if (!ofTheBody.has(lower)) replaced.add(lower)
  }
  const fields: string[] = []
  for (let i = 0; i < kept.length; i += 2) if (!replaced.has(kept[i]!.toLowerCase())) fields.push(kept[i]!, kept[i + 1]!)
  for (let i = 0; i < anew.length; i += 2) if (replaced.has(anew[i]!.toLowerCase())) fields.push(anew[i]!, anew[i + 1]!)
  return fields
}

/** Names of request fields that select the answer; in lower case, each once. */
export function selecting (headers: HeaderList): string[] {
  const names = new Set(fieldMembers(headers, 'vary').map((name) => name.toLowerCase()))
  // Whoever packs answers and does not say so would have clients get what they cannot unpack.
  if (headers.has('content-encoding')) names.add('accept-encoding')
  return [...names].sort()
}

const mostTags = 256
const longestTag = 256

/** How upstreams mark answers for purges: by words, or by a list. */
export function tagsOf (headers: HeaderList): string[] {
  const tags = [...headers.getAll('surrogate-key').flatMap((line) => line.split(/[ \t]+/)), ...fieldMembers(headers, 'cache-tag')]
  return [...new Set(tags)].filter((tag) => tag !== '' && tag.length <= longestTag).slice(0, mostTags)
}
