import type { Exchange, Filter, Reply } from '../pipeline/exchange.ts'
import { chosenFormat, escaped, mediaTypeOf, written, type FaultFormat } from '../pipeline/fault-formats.ts'
import { replyFor, sentenceFor, titleOf, type FaultPages } from '../pipeline/fault-reply.ts'
import { faults } from '../pipeline/faults.ts'
import { isGrpc } from '../pipeline/grpc.ts'

export interface PageTemplate {
  readonly format: FaultFormat
  readonly text: string
}

export interface ErrorPage {
  readonly status: number
  /** Whatever the client likes. */
  readonly format: FaultFormat | undefined
  readonly message: string | undefined
  readonly template: PageTemplate | undefined
  readonly headers: Readonly<Record<string, string>>
}

export interface ErrorPages {
  readonly defaultFormat: FaultFormat
  /** Clients are told what went wrong inside. */
  readonly includeStackTrace: boolean
  readonly pages: readonly ErrorPage[]
  /** For one status, or for all that begin with its digit: "404", "5xx". */
  readonly templates: ReadonlyArray<PageTemplate & { readonly status: string }>
}

type Values = Readonly<Record<string, string>>

interface Facts {
  readonly status: number
  readonly message: string
  readonly retryAfterMs: number | undefined
  readonly detail: string
}

/** Pages for faults, from the settings of a route and those for all. The nearest one counts. */
export function faultPages (near: ErrorPages, far?: ErrorPages): FaultPages {
  const make = pageMaker(near, far)
  const tells = near.includeStackTrace
  return (x, code, retryAfterMs) => make(x, { status: faults[code].status, message: sentenceFor(code), retryAfterMs, detail: tells ? detailOf(x) : '' })
}

/** Puts pages in the place of what upstreams say about their errors, for statuses that somebody made a page for. */
export function upstreamErrorPages (near: ErrorPages, far?: ErrorPages): Filter {
  const make = pageMaker(near, far)
  const both = far === undefined ? [near] : [near, far]
  const made = new Set(both.flatMap(({ pages, templates }) => [...pages, ...templates].map(({ status }) => String(status))))
  return {
    name: 'error-pages',
    onResponse (x, reply) {
      const { status } = reply
      // An answer of gRPC, and one that the proxy made itself, stay what they are.
      if (status < 400 || x.fault !== undefined || isGrpc(x)) return undefined
      if (!made.has(String(status)) && !made.has(`${String(status)[0]}xx`)) return undefined
      reply.body?.cancel()
      const page = make(x, { status, message: titleOf(status), retryAfterMs: undefined, detail: '' })
      page.headers.remove('retry-after')
      for (const name of keptFields) for (const value of reply.headers.getAll(name.toLowerCase())) page.headers.append(name, value)
      return page
    },
  }
}

/** What a client needs of the upstream's own answer to go on (RFC 9110 sections 10.2.3, 11.6.1 and 10.2.1). */
const keptFields = ['Retry-After', 'WWW-Authenticate', 'Allow', 'Set-Cookie']

function pageMaker (near: ErrorPages, far: ErrorPages | undefined): (x: Exchange, facts: Facts) => Reply {
  const both = far === undefined ? [near] : [near, far]
  const pages = new Map(both.toReversed().flatMap((settings) => settings.pages.map((page) => [page.status, page] as const)))
  const templates: PageTemplate[] = both.flatMap((settings) => [...settings.pages.flatMap(({ template }) => template ?? []), ...settings.templates])
  const compiled = new Map(templates.map((template) => [template, compile(template)]))
  const fromFolder = (status: number, format: FaultFormat): PageTemplate | undefined => {
    const exact = String(status)
    const all = both.flatMap(({ templates }) => templates).filter((template) => template.format === format)
    return all.find((template) => template.status === exact) ?? all.find((template) => template.status === `${exact[0]}xx`)
  }
  return (x, { status, message: sentence, retryAfterMs, detail }) => {
    const page = pages.get(status)
    const format = page?.template?.format ?? page?.format ?? chosenFormat(x.request.headers.get('accept') ?? '', near.defaultFormat)
    const template = page?.template ?? fromFolder(status, format)
    const message = page?.message ?? sentence
    const title = titleOf(status)
    const text = template === undefined ? written(format, { status, title, message, requestId: x.id, detail })
      : compiled.get(template)!({ ...valuesOf(x, retryAfterMs), status: String(status), title, message, detail })
    const type = template !== undefined && (format === 'json' || format === 'xml') ? `application/${format}` : mediaTypeOf[format]
    const reply = replyFor(status, x.id, type, text, retryAfterMs)
    for (const [name, value] of Object.entries(page?.headers ?? {})) reply.headers.set(name, Buffer.from(value).toString('latin1'))
    return reply
  }
}

function valuesOf ({ id, request: { method, authority, rawPath } }: Exchange, retryAfterMs: number | undefined): Values {
  return {
    request_id: id, time: new Date().toISOString(), method, host: authority, path: rawPath,
    retry_after: retryAfterMs === undefined ? '' : String(Math.max(1, Math.ceil(retryAfterMs / 1_000))),
  }
}

/** What is said of a request comes from a stranger: as text it is text in every form. */
const escapes: Readonly<Record<FaultFormat, (text: string) => string>> = {
  html: escaped,
  xml: escaped,
  json: (text) => JSON.stringify(text).slice(1, -1).replace(/</g, '\\u003c'),
  text: (text) => text.replace(/[\u0000-\u001f\u007f]/g, ' '),
}

function compile ({ format, text }: PageTemplate): (values: Values) => string {
  const escape = escapes[format]
  // Every second part is a name; all are known since the file was read.
  const parts = text.split(/\{\{(.*?)\}\}/).map((part, i) => i % 2 === 0 ? part : part.trim())
  return (values) => parts.map((part, i) => i % 2 === 0 ? part : escape(values[part] ?? '')).join('')
}

function detailOf ({ fault }: Exchange): string {
  if (fault === undefined) return ''
  const { cause } = fault
  return [fault.message, cause instanceof Error ? cause.stack ?? cause.message : fault.stack ?? ''].join('\n')
}
