import type { Body } from '../../pipeline/body.ts'
import type { Exchange, Filter } from '../../pipeline/exchange.ts'
import { cannotBeJudged, unseenFault } from '../tools/ask.ts'
import { readBody } from '../tools/readable.ts'
import { GuardrailTalk, refusalOf, type GuardrailSettings } from './inspection.ts'
import { modelOf, requestTexts, type TextAt } from './texts.ts'

/** Looks through what a request tells a model, before anything of it goes on. */
export function promptInjectionFilter (settings: GuardrailSettings): Filter {
  const open = new WeakMap<Exchange, GuardrailTalk>()
  const warned = new WeakSet<Exchange>()
  return {
    name: `guardrail ${settings.agentId}`,
    async onRequest (x) {
      if (x.requestBody === undefined || x.requestBody.length === 0) return undefined
      const talk = new GuardrailTalk(x, settings)
      open.set(x, talk)
      const read = await readRequest(x, talk, settings)
      if (read === undefined) return undefined
      const verdict = await talk.inspect(read.texts, read.model)
      if (verdict.kind !== 'found' || !talk.acts) return undefined
      if (settings.action === 'warn') warned.add(x)
      return settings.action === 'block' ? refusalOf(settings) : undefined
    },
    onResponse (x, reply) {
      if (warned.has(x)) reply.headers.append('X-Guardrail-Warning', 'prompt-injection')
      return undefined
    },
    onDone (x) {
      open.get(x)?.finish()
      open.delete(x)
    },
  }
}

interface Told {
  readonly texts: readonly TextAt[]
  readonly model: string
}

async function readRequest (x: Exchange, talk: GuardrailTalk, { maxBytes }: GuardrailSettings): Promise<Told | undefined> {
  try {
    const keep = (kept: Body): void => { x.requestBody = kept }
    const { body, json } = await readBody(x.requestBody!, x.request.headers, maxBytes, 'request', keep) // Whoever calls has seen that it is there.
    x.requestBody = body
    return json === undefined ? undefined : { texts: requestTexts(json.text, json.root), model: modelOf(json.text, json.root) }
  } catch (error) {
    if (!cannotBeJudged(error)) throw error
    talk.unseen(unseenFault(error, 'request'))
    return undefined
  }
}
