// An agent that is asked about calls of tools and their results. The request's `x-tools` header says what it does with each of them (JSON: a step for
// each name of a tool); what it was asked is in its log.
import {
  allow, block, challenge, defineAgent, flag, redact, redirect, review, serve, type AboutTool, type Context, type Decision, type Extras,
} from 'sentinel/sdk'

export interface ToolStep {
  readonly do: 'allow' | 'flag' | 'review' | 'block' | 'redirect' | 'challenge' | 'redact' | 'throw' | 'sleep' | 'done'
  readonly status?: number
  readonly body?: string | Readonly<Record<string, unknown>>
  readonly ticket?: string
  /** Other arguments, or another result. */
  readonly json?: unknown
  /** The same, as it is to be sent. */
  readonly raw?: string
  readonly ms?: number
  readonly extras?: Extras
}

export interface ToolScript {
  readonly calls?: Readonly<Record<string, ToolStep>>
  /** By the names of tools, or the ids of calls where a result says no name. */
  readonly results?: Readonly<Record<string, ToolStep>>
}

const tooled = defineAgent({
  name: 'tooled',
  async onToolCall (call, request, context) {
    context.log.info({ asked: 'call', ...aboutOf(call), arguments: call.argumentsJson, parsed: JSON.stringify(call.arguments), path: request.path })
    return perform(scriptOf(request).calls?.[call.tool], context)
  },
  async onToolResult (result, request, context) {
    context.log.info({ asked: 'result', ...aboutOf(result), result: result.resultJson, isError: result.isError, path: request.path })
    const { results } = scriptOf(request)
    return perform(results?.[result.tool] ?? results?.[result.id], context)
  },
})

function aboutOf ({ protocol, server, tool, id }: AboutTool) {
  return { protocol, server, tool, id }
}

function scriptOf (request: { headers: { get (name: string): string | undefined } }): ToolScript {
  const text = request.headers.get('x-tools')
  return text === undefined ? {} : JSON.parse(text) as ToolScript // The test wrote it.
}

async function perform (step: ToolStep | undefined, context: Pick<Context<unknown, unknown>, 'signal'>): Promise<Decision | undefined> {
  const extras: Extras = {
    ...step?.extras,
    ...step?.json === undefined ? {} : { replaceBody: JSON.stringify(step.json) },
    ...step?.raw === undefined ? {} : { replaceBody: step.raw },
  }
  switch (step?.do) {
    case undefined: case 'done': return undefined
    case 'allow': return allow(extras)
    case 'flag': return flag(extras)
    case 'redact': return redact(extras)
    case 'review': return review(step.ticket, extras)
    case 'block': return block(step.status, { ...step.body === undefined ? {} : { body: step.body }, ...extras })
    case 'redirect': return redirect('/elsewhere', 302, extras)
    case 'challenge': return challenge('Bearer', {}, extras)
    case 'throw': throw new Error('the script says so')
    case 'sleep': await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, step.ms ?? 0)
      context.signal.addEventListener('abort', () => { clearTimeout(timer); resolve() }, { once: true })
    })
  }
  return undefined
}

await serve(tooled)
