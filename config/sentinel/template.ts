import { nearest } from '../kdl/nearest.ts'
import { variableMarks } from '../kdl/nodes.ts'
import type { Fit, Mismatch, ValueType } from '../schema/value.ts'
import { unfit } from '../schema/value.ts'

/** A text with facts about the exchange in it: plain pieces, and names of facts. */
export type Template = readonly (string | { readonly variable: string })[]

/** Every fact there is, by what it says. A name that ends in "." takes another name behind it. */
export const variables = {
  'client.ip': 'Address of the client, as trusted proxies state it.',
  'client.port': 'Its port.',
  'request.id': 'Id of the request.',
  'request.method': 'Method.',
  'request.scheme': '`http` or `https`.',
  'request.host': 'Host and port that the client asked for.',
  'request.path': 'Path, normalised.',
  'request.query': 'Query, without the question mark.',
  'request.uri': 'Path as it was sent, with the query.',
  'request.header.': 'A header field of the request: `${request.header.User-Agent}`.',
  'request.cookie.': 'A cookie of the request.',
  'request.query.': 'A parameter of the query.',
  'tls.version': 'TLS version of the client\'s connection; empty without TLS.',
  'tls.cipher': 'Its cipher.',
  'tls.sni': 'The name that was asked for in the handshake.',
  'tls.client-subject': 'Subject of the client\'s certificate.',
  'tls.client-fingerprint': 'SHA-256 fingerprint of the client\'s certificate.',
  'listener.id': 'The listener.',
  'route.id': 'The route.',
  'upstream.id': 'The upstream; empty before one was asked.',
  'upstream.target': 'The target that answered; empty before one was asked.',
  'response.status': 'Status of the answer; empty before there is one.',
  'agent.': 'A fact that an agent or a filter attached to the request: `${agent.user}` of basic-auth and forward-auth, `${agent.geo.country}` of geo.',
} as const satisfies Record<string, string>

const marked = new RegExp(`${variableMarks[0]}([^${variableMarks[1]}]*)${variableMarks[1]}`)

/** RFC 9110, 5.5: no control characters, so that one field cannot become two. */
const unprintable = /[^\t\x20-\x7e\x80-\uffff]/

interface Names {
  readonly name: string
  readonly example: string
}

/** A kind of text that takes these facts, in one line. */
export function templateOf (known: Readonly<Record<string, string>>, { name, example }: Names): ValueType<Template> {
  const names = Object.keys(known)
  return {
    name,
    expected: 'a text, with facts about the request as ${client.ip}',
    example,
    json: { type: 'string' },
    takesVariables: true,
    parse (raw) {
      if (typeof raw !== 'string') return unfit
      const parts: (string | { readonly variable: string })[] = []
      for (const [at, part] of raw.split(marked).entries()) {
        const read = at % 2 === 0 ? plain(part) : fact(part, names)
        if ('wrong' in read) return read
        if (read.value !== '') parts.push(read.value)
      }
      return { value: parts }
    },
  }
}

/** One line of text with `${…}` facts. */
export const template = templateOf(variables, { name: 'text with facts', example: '"${client.ip}"' })

function plain (part: string): Fit<string> | Mismatch {
  if (!unprintable.test(part)) return { value: part }
  return { wrong: /[\r\n]/.test(part) ? 'it contains the end of a line' : 'it contains a control character' }
}

function fact (name: string, known: readonly string[]): Fit<{ readonly variable: string }> | Mismatch {
  if (known.some((one) => one.endsWith('.') ? name.startsWith(one) && name.length > one.length : name === one)) return { value: { variable: name } }
  const near = nearest(name, known)
  return { wrong: `there is no fact \${${name}}`, hint: near === undefined ? `there are ${known.map((one) => one.endsWith('.') ? `${one}NAME` : one).join(', ')}` : `did you mean \${${near}}?` }
}
