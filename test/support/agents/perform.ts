// What scripted agents do, as the `x-script` header of a request says it.
import {
  allow, block, challenge, flag, redact, redirect, review, type Context, type Decision, type Extras,
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
  /** Of agents that see bodies (`decides.ts`): about a whole one, or the first piece of one. */
  readonly requestBody?: Step
  readonly responseBody?: Step
}

export function scriptOf (request: { headers: { get (name: string): string | undefined } }): Script {
  const text = request.headers.get('x-script')
  return text === undefined ? {} : JSON.parse(text) as Script // The test wrote it.
}

export async function perform (step: Step | undefined, context: Pick<Context<unknown, unknown>, 'moreTime' | 'signal' | 'log'>): Promise<Decision | undefined> {
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
    case 'more-time': context.moreTime(60_000); await pause(step.ms ?? 0, context.signal); return undefined
    case 'never':
      context.log.info('waiting')
      await new Promise<void>((resolve) => context.signal.addEventListener('abort', () => resolve()))
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
