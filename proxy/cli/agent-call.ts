import type { EventOneOf } from '../../proto/codec/index.ts'
import type { Call, Called, MadeUpResponse, Put } from '../decisions/by-hand/call.ts'
import { jsonText } from '../observe/quote.ts'
import { agentTargetOf, targetOptions, whyNobody } from './agent-target.ts'
import { valuesOf, type Command, type OptionValues, type Shell } from './command.ts'
import { contentOf } from './content.ts'

const header = { type: 'string', multiple: true, value: '"NAME: VALUE"' } as const

export const agentCall: Command = {
  name: 'agent call',
  doc: 'Put one made-up exchange to an agent and print what it decides. Exit code 0: it decided; 1: it did not, or broke the protocol; 2: nobody could be asked.',
  arguments: 'AGENT',
  options: {
    request: { type: 'string', short: 'r', value: '"METHOD TARGET"', doc: 'The request: \'POST /a?b=c\'; a target alone is asked for with GET. Without it GET /.' },
    header: { ...header, short: 'H', doc: 'A field of the request.' },
    data: { type: 'string', short: 'd', value: 'TEXT', doc: 'Body of the request; @FILE for what is in a file, @- for the standard input.' },
    event: { type: 'string', multiple: true, value: 'JSON', doc: 'Ask it about this event as well, behind the request: {"kind": "tool_call", "value": {…}} as in recordings and agent.proto; @FILE for what is in a file.' },
    response: { type: 'string', value: 'STATUS', doc: 'Show it a response of this status as well.' },
    'response-header': { ...header, doc: 'A field of the response.' },
    'response-data': { type: 'string', value: 'TEXT', doc: 'Body of the response; @FILE for what is in a file.' },
    'client-ip': { type: 'string', value: 'IP', doc: 'Address of the client. Without it one of nobody.' },
    route: { type: 'string', value: 'ROUTE', doc: 'Name of the route.' },
    attribute: { type: 'string', multiple: true, value: 'NAME=VALUE', doc: 'What an earlier agent attached.' },
    config: { type: 'string', value: 'JSON', doc: 'Configure it with this first; @FILE for what is in a file. It replaces the configuration that the agent has; without the option that one stays.' },
    ...targetOptions,
    json: { type: 'boolean', doc: 'As JSON.' },
  },
  async run (shell, options, [where, ...more]) {
    if (where === undefined || more.length > 0) {
      shell.err('sentinel agent call: exactly one AGENT is needed: unix:/path/of/its.sock or host:port.\nTry: sentinel agent call --help\n')
      return 2
    }
    const found = await agentTargetOf(shell, where, options)
    if (typeof found === 'string') return refused(shell, found)
    const call = await callOf(shell, options, found.timeoutMs)
    if (typeof call === 'string') return refused(shell, call)
    const { AgentLink } = await import('../decisions/by-hand/link.ts')
    const { callAgent } = await import('../decisions/by-hand/call.ts')
    const { Fault } = await import('../pipeline/faults.ts')
    let link
    try {
      link = await AgentLink.open(found)
      const called = await callAgent(link, call)
      const { calledJson, calledText } = await import('./print-agent-call.ts')
      shell.out(options['json'] === true ? `${jsonText(calledJson(called))}\n` : calledText(called, shell.colour))
      return wentWell(called) ? 0 : 1
    } catch (error) {
      const { code, detail } = Fault.from(error)
      if (options['json'] === true) shell.out(`${jsonText({ error: code, detail: detail ?? '' })}\n`)
      else shell.err(`sentinel agent call: ${where}: ${whyNobody(detail ?? code)}\n`)
      return 2
    } finally {
      link?.close()
    }
  },
}

function refused (shell: Shell, why: string): number {
  shell.err(`sentinel agent call: ${why}.\n`)
  return 2
}

function wentWell ({ problems, puts, faults }: Called): boolean {
  return problems.length === 0 && faults.length === 0 && puts.length > 0 && puts.every(isDecided)
}

function isDecided ({ reply, refused }: Put): boolean {
  return reply !== undefined && reply.kind !== 'error' && refused === undefined
}

async function callOf (shell: Shell, options: OptionValues, timeoutMs: number): Promise<Call | string> {
  const request = requestLine(String(options['request'] ?? 'GET /'))
  if (request === undefined) return `'${String(options['request'])}' is no request: write 'GET /path?query'`
  const headers = linesOf(valuesOf(options, 'header'))
  const responseHeaders = linesOf(valuesOf(options, 'response-header'))
  if (typeof headers === 'string' || typeof responseHeaders === 'string') return typeof headers === 'string' ? headers : String(responseHeaders)
  const attributes = valuesOf(options, 'attribute').map((text) => /^([^=]+)=([^]*)$/.exec(text))
  if (attributes.includes(null)) return 'an attribute is written NAME=VALUE'
  const response = options['response']
  if (response !== undefined && !/^[1-5]\d\d$/.test(String(response))) return `'${String(response)}' is no status: write a number from 100 to 599`
  try {
    const events = await eventsOf(shell, valuesOf(options, 'event'))
    if (typeof events === 'string') return events
    const { clientIp, route } = { clientIp: options['client-ip'], route: options['route'] }
    const body = await contentOf(shell, options['data'])
    const shown: MadeUpResponse | undefined = response === undefined
      ? undefined
      : { status: Number(response), headers: responseHeaders, body: await contentOf(shell, options['response-data']) }
    return {
      request: { method: request.method ?? (body === undefined ? 'GET' : 'POST'), target: request.target, headers, body },
      events,
      response: shown,
      config: (await contentOf(shell, options['config']))?.toString(),
      attributes: new Map(attributes.map((found) => [found![1]!, found![2]!])), // None is null: see above.
      clientIp: typeof clientIp === 'string' ? clientIp : undefined,
      route: typeof route === 'string' ? route : undefined,
      timeoutMs,
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

async function eventsOf (shell: Shell, given: readonly string[]): Promise<EventOneOf[] | string> {
  const { eventFrom, NotAMessage } = await import('../../proto/message-json.ts')
  const events: EventOneOf[] = []
  for (const one of given) {
    const text = (await contentOf(shell, one))?.toString() ?? ''
    try {
      const event = eventFrom(JSON.parse(text))
      if (!isAsked(event)) return `'${String(event.kind)}' is told, and never answered: there is nothing to ask`
      events.push(event)
    } catch (error) {
      if (error instanceof NotAMessage) return `--event: ${error.message}`
      if (error instanceof SyntaxError) return `--event is not JSON: ${error.message}`
      throw error
    }
  }
  return events
}

function isAsked ({ kind }: EventOneOf): boolean {
  return kind !== 'complete' && kind !== 'cancel' && kind !== 'credit'
}

function requestLine (text: string): { readonly method: string | undefined, readonly target: string } | undefined {
  const [, method, target] = /^(?:([A-Za-z][A-Za-z-]*)\s+)?(\/[\x21-\x7e]*)$/.exec(text.trim()) ?? []
  return target === undefined ? undefined : { method: method?.toUpperCase(), target }
}

/** Lines as they are on the wire: one character for each byte of the UTF-8. */
function linesOf (texts: readonly string[]): string[] | string {
  const lines: string[] = []
  for (const text of texts) {
    const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*)$/.exec(text) ?? []
    if (name === undefined || value === undefined) return `'${text}' is no field: write 'name: value'`
    lines.push(name, Buffer.from(value.trimEnd()).toString('latin1'))
  }
  return lines
}
