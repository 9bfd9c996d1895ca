import { replaced, withoutItems, withoutMembers, type Edit } from './edits.ts'
import { argumentsOf, objectJson, Unfit, type Found, type Outcome, type Outcomes, type Reading } from './found.ts'
import { checkedName, itemsOf, member, memberObject, memberText, rawOf, textOf, Unreadable, type Json, type JsonArray, type JsonObject } from './json.ts'

/** A call that a model asks for, and the parts of the text that say it. */
export interface Call {
  readonly found: Found
  readonly item: JsonObject
  /** Where its arguments stand. */
  readonly given: Json | undefined
  /** How they are written: as JSON, or as a text that holds JSON, or as a text. */
  readonly form: 'json' | 'written' | 'text'
}

export type LlmProtocol = 'openai-chat' | 'openai-responses' | 'anthropic' | 'gemini'

/**
 * Calls of tools that a model asks for, in an answer or a part of one: OpenAI's chat completions and responses, Anthropic's messages, Gemini's
 * candidates. A call that is refused gives its place to a sentence, and the reason why the model stopped stays one that fits.
 */
export function readLlmAnswer (text: string, object: JsonObject): Reading[] {
  return [
    ...itemsOf(object, 'choices').flatMap((choice) => choice.kind === 'object' ? ofChoice(text, choice) : []),
    ...ofResponse(text, object),
    ...ofMessage(text, object),
    ...itemsOf(object, 'candidates').flatMap((candidate) => candidate.kind === 'object' ? ofCandidate(text, candidate) : []),
  ]
}

function callFound (protocol: LlmProtocol, tool: string | undefined, callId: string | undefined, argumentsJson: Buffer, server = ''): Found {
  if (tool === undefined) throw new Unreadable('a call of a tool has no text as name')
  return { kind: 'tool_call', value: { protocol, server, tool: checkedName(tool, 'the name of a tool'), argumentsJson, callId: callId ?? '' } }
}

/** Arguments as JSON, whatever they are written as. */
function argumentsAt (text: string, given: Json | undefined, form: Call['form']): Buffer {
  if (given === undefined || given.kind === 'null') return Buffer.alloc(0)
  if (form === 'written' && given.kind === 'string') return argumentsOf(textOf(text, given))
  return Buffer.from(rawOf(text, given))
}

function otherArguments ({ given, form }: Call, json: string): Edit {
  if (given === undefined) throw new Unfit('there are no arguments that others could replace')
  // Some providers write an object where the API has a text.
  if (form === 'json' || given.kind !== 'string') return replaced(given, objectJson(json, 'arguments of a tool'))
  return replaced(given, form === 'text' && json.trimStart().startsWith('"') ? json : JSON.stringify(json))
}

// ------------------------------------------------------------------------------------------------- OpenAI, chat completions

/** https://platform.openai.com/docs/api-reference/chat/object */
function ofChoice (text: string, choice: JsonObject): Reading[] {
  const message = memberObject(choice, 'message')
  if (message === undefined) return []
  const list = member(message, 'tool_calls')
  const calls = list?.kind === 'array' ? list.items.flatMap((item) => item.kind === 'object' ? [chatCall(text, item)] : []) : []
  const single = memberObject(message, 'function_call')
  const old = single === undefined ? [] : [functionCall(text, single, single, '')]
  if (calls.length > 0 && old.length > 0) throw new Unreadable('a message has calls of tools in two places')
  const all = [...calls, ...old]
  if (all.length === 0) return []
  return [{
    found: all.map(({ found }) => found),
    edits (outcomes) {
      const refused = all.filter(({ found }) => outcomes.get(found)?.kind === 'refused')
      const edits = otherArgumentsOf(all, outcomes)
      if (refused.length === 0) return edits
      const none = refused.length === all.length
      const gone = new Set<Json>(refused.map(({ item }) => item))
      return [
        ...edits,
        ...inTheirPlace(text, message, sentencesOf(refused, outcomes), none ? ['tool_calls', 'function_call'] : []),
        ...none ? [] : withoutItems(list as JsonArray, gone), // Several calls are in the list.
        ...none ? otherReason(text, choice, 'finish_reason', ['tool_calls', 'function_call'], 'stop') : [],
      ]
    },
  }]
}

function chatCall (text: string, item: JsonObject): Call {
  const id = memberText(text, item, 'id')
  const custom = memberObject(item, 'custom')
  if (custom !== undefined) {
    const given = member(custom, 'input')
    return { item, given, form: 'text', found: callFound('openai-chat', memberText(text, custom, 'name'), id, argumentsAt(text, given, 'text')) }
  }
  const called = memberObject(item, 'function')
  if (called === undefined) throw new Unreadable('a call of a tool has no function')
  return functionCall(text, item, called, id)
}

function functionCall (text: string, item: JsonObject, called: JsonObject, id: string | undefined): Call {
  const given = member(called, 'arguments')
  return { item, given, form: 'written', found: callFound('openai-chat', memberText(text, called, 'name'), id, argumentsAt(text, given, 'written')) }
}

/** Sentences behind what the message says, and what is named taken off. */
export function inTheirPlace (text: string, message: JsonObject, sentences: string, taken: readonly string[]): Edit[] {
  const content = message.members.find(({ name }) => name === 'content')
  if (content !== undefined) {
    const said = content.value.kind === 'string' ? textOf(text, content.value) : ''
    return [replaced(content.value, JSON.stringify(said === '' ? sentences : `${said}\n${sentences}`)), ...withoutMembers(message, taken)]
  }
  const [first, ...others] = message.members.filter(({ name }) => taken.includes(name))
  const said = `"content":${JSON.stringify(sentences)}`
  if (first === undefined) return [{ start: message.start + 1, end: message.start + 1, text: `${said},` }]
  return [{ start: first.start, end: first.value.end, text: said }, ...withoutMembers(message, others.map(({ name }) => name))]
}

// -------------------------------------------------------------------------------------------------------- OpenAI, responses

/** https://platform.openai.com/docs/api-reference/responses/object */
function ofResponse (text: string, response: JsonObject): Reading[] {
  const calls = itemsOf(response, 'output').flatMap((item) => item.kind === 'object' ? responseCall(text, item) ?? [] : [])
  return calls.length === 0 ? [] : [inTheListOf(calls, (sentence, i) => messageItem(sentence, i))]
}

/** An item of a response that says a call: functions, custom tools, and those that clients do themselves (shell, computer, patches). */
export function responseCall (text: string, item: JsonObject): Call | undefined {
  const type = memberText(text, item, 'type')
  if (type?.endsWith('_call') !== true) return undefined
  const id = memberText(text, item, 'call_id') ?? memberText(text, item, 'id')
  const written = member(item, 'arguments')
  const input = member(item, 'input')
  const [given, form] = written !== undefined ? [written, 'written'] as const
    : input !== undefined ? [input, 'text'] as const
      : [member(item, 'action') ?? member(item, 'operation'), 'json'] as const
  const tool = memberText(text, item, 'name') ?? type.slice(0, -'_call'.length)
  return { item, given, form, found: callFound('openai-responses', tool, id, argumentsAt(text, given, form), memberText(text, item, 'server_label')) }
}

function messageItem (sentence: string, i: number): string {
  return JSON.stringify({
    type: 'message', id: `msg_refused_${i}`, status: 'completed', role: 'assistant', content: [{ type: 'output_text', text: sentence, annotations: [] }],
  })
}

// ------------------------------------------------------------------------------------------------------ Anthropic, messages

/** https://docs.anthropic.com/en/api/messages */
function ofMessage (text: string, message: JsonObject): Reading[] {
  const blocks = itemsOf(message, 'content')
  const calls = blocks.flatMap((block) => block.kind === 'object' ? blockCall(text, block) ?? [] : [])
  if (calls.length === 0) return []
  const list = inTheListOf(calls, (sentence) => JSON.stringify({ type: 'text', text: sentence }))
  return [{
    found: list.found,
    edits (outcomes) {
      const none = calls.every(({ found }) => outcomes.get(found)?.kind === 'refused')
      return [...list.edits(outcomes), ...none ? otherReason(text, message, 'stop_reason', ['tool_use'], 'end_turn') : []]
    },
  }]
}

/** `tool_use`, `server_tool_use`, `mcp_tool_use`, and what may come to be called like them. */
export function isToolBlock (type: string | undefined): boolean {
  return type?.endsWith('tool_use') === true
}

function blockCall (text: string, block: JsonObject): Call | undefined {
  if (!isToolBlock(memberText(text, block, 'type'))) return undefined
  const given = member(block, 'input')
  return { item: block, given, form: 'json', found: callFound('anthropic', memberText(text, block, 'name'), memberText(text, block, 'id'), argumentsAt(text, given, 'json')) }
}

// ------------------------------------------------------------------------------------------------------------------- Gemini

/** https://ai.google.dev/api/generate-content#v1beta.Candidate */
function ofCandidate (text: string, candidate: JsonObject): Reading[] {
  const content = memberObject(candidate, 'content')
  if (content === undefined) return []
  const calls = itemsOf(content, 'parts').flatMap((part): Call[] => {
    const called = part.kind === 'object' ? memberObject(part, 'functionCall') ?? memberObject(part, 'function_call') : undefined
    if (called === undefined) return []
    const given = member(called, 'args')
    return [{
      item: part as JsonObject, // It has a member.
      given, form: 'json', found: callFound('gemini', memberText(text, called, 'name'), memberText(text, called, 'id'), argumentsAt(text, given, 'json')),
    }]
  })
  return calls.length === 0 ? [] : [inTheListOf(calls, (sentence) => JSON.stringify({ text: sentence }))]
}

// ---------------------------------------------------------------------------------------------------------------------------

/** Calls that are members of a list beside what the model says: another member takes the place of one that is refused. */
function inTheListOf (calls: readonly Call[], saying: (sentence: string, i: number) => string): Reading {
  return {
    found: calls.map(({ found }) => found),
    edits: (outcomes) => [
      ...otherArgumentsOf(calls, outcomes),
      ...calls.flatMap(({ found, item }, i) => {
        const outcome = outcomes.get(found)
        return outcome?.kind === 'refused' ? [replaced(item, saying(outcome.sentence, i))] : []
      }),
    ],
  }
}

function otherArgumentsOf (calls: readonly Call[], outcomes: Outcomes): Edit[] {
  return calls.flatMap((call) => {
    const outcome = outcomes.get(call.found)
    return outcome?.kind === 'replaced' ? [otherArguments(call, outcome.json)] : []
  })
}

function sentencesOf (calls: readonly Call[], outcomes: Outcomes): string {
  return calls.map(({ found }) => (outcomes.get(found) as Outcome & { kind: 'refused' }).sentence).join('\n') // They were picked for it.
}

/** The reason why the model stopped, where it was the calls and there is none any more. */
function otherReason (text: string, object: JsonObject, name: string, reasons: readonly string[], other: string): Edit[] {
  const reason = member(object, name)
  return reason?.kind === 'string' && reasons.includes(textOf(text, reason)) ? [replaced(reason, JSON.stringify(other))] : []
}
