import { bodyAfter, BodyAround, bodyOf, gather, type Body } from '../../pipeline/body.ts'
import type { Exchange, Filter, Reply } from '../../pipeline/exchange.ts'
import { Fault } from '../../pipeline/faults.ts'
import type { HeaderList } from '../../pipeline/headers.ts'
import { isPacked } from '../../pipeline/unpack.ts'
import { forgetOldBody } from '../edits.ts'
import { cannotBeJudged, unseenFault } from '../tools/ask.ts'
import { edited, replaced } from '../tools/edits.ts'
import { Unreadable } from '../tools/json.ts'
import { readBody, saysEvents, type ReadBody } from '../tools/readable.ts'
import { EventSplitter } from '../tools/server-events.ts'
import { GuardrailTalk, refusalOf, type GuardrailSettings, type Verdict } from './inspection.ts'
import { redactedTexts } from './redaction.ts'
import { StreamedTexts } from './streamed-texts.ts'
import { answerTexts } from './texts.ts'

/**
 * Looks through what a model says. Where something may be taken out or refused, the answer is held until the verdict, a streamed one as well: data
 * of a person may stand across any two pieces. Where it is only to be known of, a stream passes while it is looked through.
 */
export function piiFilter (settings: GuardrailSettings): Filter {
  const open = new WeakMap<Exchange, { readonly talk: GuardrailTalk, readonly takes: readonly string[] }>()
  return {
    name: `guardrail ${settings.agentId}`,
    onRequest (x) {
      const { headers } = x.request
      open.set(x, { talk: new GuardrailTalk(x, settings), takes: headers.getAll('accept-encoding') })
      if (settings.mode === 'enforce') headers.set('Accept-Encoding', 'identity')
      return undefined
    },
    async onResponse (x, reply) {
      const held = open.get(x)
      if (held === undefined) return undefined
      const { headers } = x.request
      headers.remove('accept-encoding')
      for (const value of held.takes) headers.append('Accept-Encoding', value)
      if (reply.body === undefined || reply.body.length === 0 || x.request.method === 'HEAD' || reply.status === 304 || reply.status === 101) return undefined
      const other = await inspectAnswer(held.talk, reply, settings)
      if (other !== undefined) reply.body.cancel()
      return other
    },
    onDone (x) {
      open.get(x)?.talk.finish()
      open.delete(x)
    },
  }
}

/** Gives the answer that takes the place of this one. */
async function inspectAnswer (talk: GuardrailTalk, reply: Reply, settings: GuardrailSettings): Promise<Reply | undefined> {
  try {
    if (saysEvents(reply.headers)) {
      if (isPacked(reply.headers)) throw new Unreadable('it is a packed event stream, although none was asked for')
      return await inspectEvents(talk, reply, settings)
    }
    const keep = (kept: Body): void => { reply.body = kept }
    const { body, json, isEvents } = await readBody(reply.body!, reply.headers, settings.maxBytes, 'answer', keep) // Whoever calls has seen that it is there.
    reply.body = body
    if (isEvents) return await inspectEvents(talk, reply, settings)
    return json === undefined ? undefined : await inspectWhole(talk, reply, json, settings)
  } catch (error) {
    if (!cannotBeJudged(error)) throw error
    talk.unseen(unseenFault(error, 'answer'))
  }
  return undefined
}

async function inspectEvents (talk: GuardrailTalk, reply: Reply, settings: GuardrailSettings): Promise<Reply | undefined> {
  if (talk.acts && settings.action !== 'log') return inspectHeld(talk, reply, settings)
  reply.body = new TextsTold(reply.body!, talk, settings)
  return undefined
}

async function inspectWhole (talk: GuardrailTalk, reply: Reply, json: ReadBody, settings: GuardrailSettings): Promise<Reply | undefined> {
  const texts = answerTexts(json.text, json.root)
  const verdict = await talk.inspect(texts, '')
  if (!actsOn(verdict, talk, settings)) return undefined
  if (settings.action === 'block') return refusalOf(settings)
  const edits = [...redactedTexts(texts.map(({ text }) => text), verdict.findings.findings)].map(([i, text]) => replaced(texts[i]!.node, JSON.stringify(text)))
  forget(reply.headers)
  reply.body = bodyOf(Buffer.from(edited(json.text, edits)), reply.body?.trailers)
  return undefined
}

/** A stream that is gathered, looked through, and goes on as a whole. */
async function inspectHeld (talk: GuardrailTalk, reply: Reply, settings: GuardrailSettings): Promise<Reply | undefined> {
  const { maxBytes } = settings
  const source = reply.body!
  const { chunks, complete } = await gather(source, maxBytes)
  reply.body = bodyAfter(chunks, source)
  if (!complete) throw new Fault('AGENT_BODY_TOO_LARGE', `more than ${maxBytes} bytes`)
  const streamed = new StreamedTexts(true)
  for (const event of new EventSplitter().all(Buffer.concat(chunks))) streamed.see(event)
  const texts = streamed.all()
  const verdict = await talk.inspect(texts.map((text) => ({ role: 'assistant', text })), '')
  if (!actsOn(verdict, talk, settings)) return undefined
  if (settings.action === 'block') return refusalOf(settings)
  const changed = new Map([...redactedTexts(texts, verdict.findings.findings)].map(([i, text]) => [texts[i]!, text]))
  forget(reply.headers)
  reply.body = bodyOf(Buffer.concat(streamed.written(changed)), source.trailers)
  return undefined
}

function actsOn (verdict: Verdict, talk: GuardrailTalk, { action }: GuardrailSettings): verdict is Verdict & { readonly kind: 'found' } {
  return verdict.kind === 'found' && talk.acts && (action === 'block' || action === 'redact')
}

function forget (headers: HeaderList): void {
  forgetOldBody(headers)
  headers.remove('content-encoding')
}

/** The stream as it comes. Its texts are put together beside it, and looked through before its end is told. */
class TextsTold extends BodyAround {
  /** It may end before its end. */
  override readonly length = undefined
  readonly #talk: GuardrailTalk
  readonly #maxBytes: number
  readonly #streamed = new StreamedTexts(false)
  readonly #splitter = new EventSplitter()
  #bytes = 0
  #lost: Fault | undefined

  constructor (source: Body, talk: GuardrailTalk, { maxBytes }: GuardrailSettings) {
    super(source)
    this.#talk = talk
    this.#maxBytes = maxBytes
  }

  async read (): Promise<Buffer | undefined> {
    const chunk = await this.source.read()
    if (this.#lost === undefined) this.#attempt(chunk)
    if (chunk !== undefined) return chunk
    if (this.#lost === undefined) await this.#talk.inspect(this.#streamed.all().map((text) => ({ role: 'assistant', text })), '', true)
    else this.#talk.unseen(this.#lost)
    return undefined
  }

  #attempt (chunk: Buffer | undefined): void {
    try {
      this.#see(chunk)
    } catch (error) {
      if (!cannotBeJudged(error)) throw error
      this.#lost = unseenFault(error, 'answer')
    }
  }

  #see (chunk: Buffer | undefined): void {
    if (chunk === undefined) {
      const last = this.#splitter.end()
      if (last !== undefined) this.#streamed.see(last)
      return
    }
    this.#bytes += chunk.length
    if (this.#bytes > this.#maxBytes) throw new Fault('AGENT_BODY_TOO_LARGE', `more than ${this.#maxBytes} bytes`)
    for (const event of this.#splitter.push(chunk)) this.#streamed.see(event)
  }
}
