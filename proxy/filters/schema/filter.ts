import type { ApiContent, ApiDescription } from '../../../config/api-schema/description.ts'
import { bodyAfter, bodyOf, gather, type Body } from '../../pipeline/body.ts'
import type { Exchange, Filter, Reply } from '../../pipeline/exchange.ts'
import { faultAnswer } from '../../pipeline/fault-reply.ts'
import { Fault, type FaultCode } from '../../pipeline/faults.ts'
import { listItems, type HeaderList } from '../../pipeline/headers.ts'
import { bodyViolations, contentFor, isJson, isReadable, mediaTypeOf } from './bodies.ts'
import { createEngine, type Engine, type Violation } from './engine.ts'
import { findOperations, type Matched } from './operations.ts'
import { parameterViolations } from './parameters.ts'
import { violationReply } from './reply.ts'

export interface SchemaSettings {
  readonly description: ApiDescription
  readonly checksRequests: boolean
  readonly checksResponses: boolean
  readonly strict: boolean
  readonly rejectsRequests: boolean
  readonly rejectsResponses: boolean
  /** For requests that do not fit. */
  readonly status: number
  /** Of a body, packed or not. */
  readonly maxBodyBytes: number
  /** Of a packed one, when it is unpacked. */
  readonly maxUnpackedBytes: number
  readonly maxRatio: number
}

export type SchemaResult = 'ok' | 'refused' | 'logged' | 'unchecked'

export type SchemaReport = (side: 'request' | 'response', result: SchemaResult) => void

/** What was found wrong. */
interface Wrong {
  readonly code: FaultCode
  /** For the log. */
  readonly detail?: string | undefined
  readonly violations: readonly Violation[]
}

/** How the body of a message is to be looked at. */
interface BodyPlan {
  readonly contents: readonly ApiContent[] | undefined
  readonly schema: string | undefined
}

/** Checks requests and answers against a description of the API, and refuses or notes what does not fit. */
export function schemaFilter (settings: SchemaSettings, report: SchemaReport): Filter {
  const { description, strict } = settings
  const engine = createEngine(description)
  const find = description.operations === undefined ? undefined : findOperations(description.operations)
  const matched = new WeakMap<Exchange, Matched>()
  const checks = new Checks(settings, engine)
  const settle = (x: Exchange, wrong: Wrong | undefined): Reply | undefined => {
    if (wrong === undefined) {
      report('request', 'ok')
      return undefined
    }
    const text = note(x, wrong)
    report('request', settings.rejectsRequests ? 'refused' : 'logged')
    return settings.rejectsRequests ? refusal(x, wrong, text, settings.status) : undefined
  }
  const settleAnswer = (x: Exchange, reply: Reply, wrong: Wrong | undefined): Reply | undefined => {
    if (wrong === undefined) {
      report('response', 'ok')
      return undefined
    }
    const text = note(x, wrong)
    report('response', settings.rejectsResponses ? 'refused' : 'logged')
    if (!settings.rejectsResponses) return undefined
    reply.body?.cancel()
    x.fault = new Fault(wrong.code, text)
    return faultAnswer(x, wrong.code)
  }
  return {
    name: 'api-schema',
    onRequest (x) {
      // A tunnel has no body; what it says is for others to judge.
      if (x.upgrade !== undefined) return undefined
      if (settings.checksResponses) askForKnownCodings(x.request.headers)
      const finding = find?.(x.request.method, x.request.path)
      if (finding !== undefined && 'operation' in finding) matched.set(x, finding)
      if (!settings.checksRequests) return undefined
      if (find === undefined) {
        if (description.request === undefined) return undefined
        return checks.request(x, { contents: undefined, schema: description.request }, [], true).then((wrong) => settle(x, wrong))
      }
      if (finding === undefined || !('operation' in finding)) {
        if (!strict) {
          report('request', 'unchecked')
          return undefined
        }
        return allowing(settle(x, { code: finding === undefined ? 'PATH_NOT_DESCRIBED' : 'METHOD_NOT_DESCRIBED', violations: [] }), finding?.methods)
      }
      const { operation, inPath } = finding
      const found = parameterViolations(x, operation.parameters, inPath, engine, strict)
      const { body } = operation
      if (body === undefined && strict && x.requestBody !== undefined && x.requestBody.length !== 0) {
        found.push({ in: 'body', at: '', rule: 'unknown', message: 'is not described' })
      }
      const bodyPlan = body === undefined ? undefined : { contents: body.contents, schema: undefined }
      return checks.request(x, bodyPlan, found, body?.required === true).then((wrong) => settle(x, wrong))
    },
    onResponse (x, reply) {
      if (!settings.checksResponses || reply.status < 200 || x.upgrade !== undefined) return undefined
      const plan = responsePlan(description, matched.get(x), reply)
      if (plan === undefined || (plan === 'status' && !strict)) {
        report('response', 'unchecked')
        return undefined
      }
      if (plan === 'status') return settleAnswer(x, reply, { code: 'UPSTREAM_ANSWER_REFUSED', detail: `status ${reply.status}`, violations: [] })
      return checks.response(x, reply, plan).then((wrong) => settleAnswer(x, reply, wrong))
    },
  }
}

/** What could not be unpacked could not be checked. */
function askForKnownCodings (headers: HeaderList): void {
  if (!headers.has('accept-encoding')) return
  const known = listItems(headers.getAll('accept-encoding').join(',')).filter((item) => /^(?:x-)?(?:gzip|deflate|br|identity)(?:$|[\s;])/.test(item))
  headers.set('Accept-Encoding', known.length === 0 ? 'identity' : known.join(', '))
}

/** `status`: the description has no such status. `undefined`: there is nothing to look at. */
function responsePlan ({ operations, response }: ApiDescription, found: Matched | undefined, { status, body }: Reply): BodyPlan | 'status' | undefined {
  if (operations === undefined) return response === undefined || body === undefined || status >= 300 ? undefined : { contents: undefined, schema: response }
  if (found === undefined) return undefined
  const { responses } = found.operation
  const contents = responses[String(status)] ?? responses[`${Math.floor(status / 100)}XX`] ?? responses['default']
  if (contents === undefined) return 'status'
  return contents.length === 0 ? undefined : { contents, schema: undefined }
}

/** What takes time: bodies. */
class Checks {
  readonly #settings: SchemaSettings
  readonly #engine: Engine

  constructor (settings: SchemaSettings, engine: Engine) {
    this.#settings = settings
    this.#engine = engine
  }

  async request (x: Exchange, plan: BodyPlan | undefined, found: Violation[], required: boolean): Promise<Wrong | undefined> {
    const { requestBody: body, request: { headers, method } } = x
    const code = 'SCHEMA_VIOLATED'
    if (plan === undefined) return found.length === 0 ? undefined : { code, violations: found }
    if (body === undefined || body.length === 0) {
      const expected = plan.contents !== undefined || method === 'POST' || method === 'PUT' || method === 'PATCH'
      const violations = required && expected ? [...found, { in: 'body', at: '', rule: 'required', message: 'must be there' } as const] : found
      return violations.length === 0 ? undefined : { code, violations }
    }
    const media = mediaTypeOf(headers)
    const content = media === undefined ? undefined : contentOf(plan, media.type)
    if (media === undefined || content === undefined) return { code: 'MEDIA_TYPE_REFUSED', violations: [] }
    // Of other forms nothing but the type is known.
    if (!isReadable(media.type, content)) return found.length === 0 ? undefined : { code, violations: found }
    const taken = await this.#take(body, (again) => { x.requestBody = again })
    if (taken === undefined) return { code: 'BODY_TOO_LARGE', detail: `more than ${this.#settings.maxBodyBytes} bytes`, violations: [] }
    try {
      const violations = [...found, ...await bodyViolations(taken, headers, media.charset, content, this.#engine, this.#limits)]
      return violations.length === 0 ? undefined : { code, violations }
    } catch (error) {
      const { code: why, detail } = Fault.from(error)
      return { code: why, detail, violations: [] }
    }
  }

  async response (x: Exchange, reply: Reply, plan: BodyPlan): Promise<Wrong | undefined> {
    const { headers, body } = reply
    if (body === undefined || x.request.method === 'HEAD' || reply.status === 304) return undefined
    const wrong = (detail: string, violations: readonly Violation[] = []): Wrong => ({ code: 'UPSTREAM_ANSWER_REFUSED', detail, violations })
    const media = mediaTypeOf(headers)
    const content = media === undefined ? undefined : contentOf(plan, media.type)
    if (media === undefined || content === undefined) return body.length === 0 ? undefined : wrong('content type')
    if (!isReadable(media.type, content)) return undefined
    const taken = await this.#take(body, (again) => { reply.body = again })
    if (taken === undefined) return wrong(`more than ${this.#settings.maxBodyBytes} bytes`)
    try {
      const violations = await bodyViolations(taken, headers, media.charset, content, this.#engine, this.#limits)
      return violations.length === 0 ? undefined : wrong('body', violations)
    } catch (error) {
      return wrong(Fault.from(error).code)
    }
  }

  get #limits () {
    const { maxUnpackedBytes: maxBytes, maxRatio } = this.#settings
    return { maxBytes, maxRatio }
  }

  /** All of a body, which goes on as it came; `undefined` when it is too long, and then goes on as well. */
  async #take (body: Body, goOn: (again: Body) => void): Promise<Buffer | undefined> {
    const { maxBodyBytes } = this.#settings
    if (body.length !== undefined && body.length > maxBodyBytes) return undefined
    const { chunks, complete } = await gather(body, maxBodyBytes)
    if (!complete) {
      goOn(bodyAfter(chunks, body))
      return undefined
    }
    const bytes = Buffer.concat(chunks)
    goOn(bodyOf(bytes, body.trailers))
    return bytes
  }
}

/** A schema that stands alone is of JSON. */
function contentOf ({ contents, schema }: BodyPlan, type: string): Pick<ApiContent, 'schema' | 'fields'> | undefined {
  if (contents !== undefined) return contentFor(contents, type)
  return isJson(type) ? { schema } : undefined
}

/** For the access log: where, and which rule; never what. */
function note (x: Exchange, { code, detail, violations }: Wrong): string {
  const places = violations.slice(0, 5).map(({ in: place, at, rule }) => `${place}${at.startsWith('/') || at === '' ? at : `:${at}`} ${rule}`)
  const text = (places.length === 0 ? detail ?? code : places.join('; ')).slice(0, 500)
  x.setAttribute('schema.violations', text)
  return text
}

function refusal (x: Exchange, { code, violations }: Wrong, text: string, status: number): Reply {
  x.fault = new Fault(code, text)
  return violations.length === 0 ? faultAnswer(x, code) : violationReply(x, violations, status)
}

function allowing (reply: Reply | undefined, methods: readonly string[] | undefined): Reply | undefined {
  if (reply !== undefined && methods !== undefined) reply.headers.set('Allow', methods.join(', '))
  return reply
}
