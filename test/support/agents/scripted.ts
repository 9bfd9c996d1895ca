// An agent that does what the request's `x-script` header says (JSON: a step for each phase). Written on the SDK as an outsider would.
import {
  allow, block, challenge, defineAgent, flag, list, redact, redirect, review, serve, setting, text, type Context, type Decision, type Extras,
} from 'sentinel/sdk'

export interface Step {
  readonly do?: 'allow' | 'flag' | 'review' | 'block' | 'redirect' | 'challenge' | 'redact' | 'throw' | 'sleep' | 'never' | 'more-time'
  readonly ms?: number
  readonly status?: number
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly location?: string
  readonly scheme?: string
  readonly params?: Readonly<Record<string, string>>
  readonly ticket?: string
  readonly extras?: Extras
}

export interface Script {
  readonly request?: Step
  /** Asks for the body late, in `onRequest`. */
  readonly late?: boolean
  readonly response?: Step
}

const scripted = defineAgent({
  name: 'scripted',
  version: '1.0.0',
  setsHeaders: ['x-user'],
  config: {
    greeting: setting(text, 'hello', 'Sent to the upstream as x-greeting.'),
    words: list(text, [], 'Sent to the upstream as x-words.'),
  },
  async onRequest (request, context) {
    request.headers.set('x-greeting', context.config.greeting)
    if (context.config.words.length > 0) request.headers.set('x-words', context.config.words.join(','))
    const user = context.attributes.get('user')
    if (user !== undefined) request.headers.set('x-seen-user', user)
    const script = scriptOf(request)
    if (script.late === true && Buffer.from(await request.body({ max: '1MiB' })).includes('forbidden')) return block(403, { body: 'late' })
    return perform(script.request, context)
  },
  onResponse (_response, request, context) {
    return perform(scriptOf(request).response, context)
  },
  onComplete (summary, request, context) {
    context.log.info({ completed: request.id, status: summary.status, path: request.path }, 'complete')
  },
})

function scriptOf (request: { headers: { get (name: string): string | undefined } }): Script {
  const text = request.headers.get('x-script')
  return text === undefined ? {} : JSON.parse(text) as Script // The test wrote it.
}

async function perform (step: Step | undefined, context: Pick<Context<unknown, unknown>, 'moreTime' | 'signal' | 'log'>): Promise<Decision | undefined> {
  const extras = step?.extras ?? {}
  switch (step?.do) {
    case undefined: return undefined
    case 'allow': return allow(extras)
    case 'flag': return flag(extras)
    case 'redact': return redact(extras)
    case 'review': return review(step.ticket, extras)
    case 'block': return block(step.status, { body: step.body ?? '', headers: step.headers ?? {}, ...extras })
    case 'redirect': return redirect(step.location ?? '/', step.status as 302 | undefined, extras)
    case 'challenge': return challenge(step.scheme ?? 'Bearer', step.params ?? {}, extras)
    case 'throw': throw new Error('the script says so')
    case 'sleep': await pause(step.ms ?? 0, context.signal); return undefined
    case 'more-time': context.moreTime(2_000); await pause(step.ms ?? 0, context.signal); return undefined
    case 'never': await new Promise<void>((resolve) => context.signal.addEventListener('abort', () => resolve()))
      context.log.info({ cancelled: true }, 'cancelled')
  }
  return undefined
}

function pause (ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => { clearTimeout(timer); resolve() }, { once: true })
  })
}

await serve(scripted)
