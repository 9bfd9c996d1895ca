import { replaced } from './edits.ts'
import { likeBefore, type Found, type Reading } from './found.ts'
import { checkedName, itemsOf, member, memberObject, memberText, rawOf, type Json, type JsonObject } from './json.ts'
import type { LlmProtocol } from './llm-answer.ts'

interface Result {
  readonly found: Found
  readonly body: Json
}

/**
 * What tools gave, in a request to a model. Clients send the whole conversation each time, so all of it is asked about each time: what was taken
 * out of a result before would otherwise come back.
 */
export function readLlmRequest (text: string, root: Json): Reading | undefined {
  if (root.kind !== 'object') return undefined
  const results = [
    ...itemsOf(root, 'messages').flatMap((message) => message.kind === 'object' ? ofMessage(text, message) : []),
    ...itemsOf(root, 'input').flatMap((item) => item.kind === 'object' ? ofItem(text, item) : []),
    ...itemsOf(root, 'contents').flatMap((content) => content.kind === 'object' ? ofContent(text, content) : []),
  ]
  if (results.length === 0) return undefined
  return {
    found: results.map(({ found }) => found),
    edits: (outcomes) => results.flatMap(({ found, body }) => {
      const outcome = outcomes.get(found)
      return outcome?.kind === 'replaced' ? [replaced(body, likeBefore(outcome.json, body.kind === 'string'))] : []
    }),
  }
}

interface About {
  readonly protocol: LlmProtocol
  readonly callId: string | undefined
  readonly tool?: string | undefined
  readonly isError?: boolean
}

function resultAt (text: string, body: Json | undefined, { protocol, callId, tool, isError = false }: About): Result[] {
  if (body === undefined) return []
  return [{
    body,
    found: {
      kind: 'tool_result',
      value: {
        protocol, server: '', tool: tool === undefined ? '' : checkedName(tool, 'the name of a tool'), callId: callId ?? '', resultJson: Buffer.from(rawOf(text, body)), isError,
      },
    },
  }]
}

/** A message of OpenAI's chat completions with the role `tool`, or one of Anthropic's with blocks that hold results. */
function ofMessage (text: string, message: JsonObject): Result[] {
  const role = memberText(text, message, 'role')
  const content = member(message, 'content')
  if (role === 'tool' || role === 'function') {
    return resultAt(text, content, { protocol: 'openai-chat', callId: memberText(text, message, 'tool_call_id'), tool: memberText(text, message, 'name') })
  }
  if (content?.kind !== 'array') return []
  return content.items.flatMap((block) => {
    // `web_search_tool_result`, `mcp_tool_result` and others are named like it.
    if (block.kind !== 'object' || memberText(text, block, 'type')?.endsWith('tool_result') !== true) return []
    const isError = member(block, 'is_error')?.kind === 'true'
    return resultAt(text, member(block, 'content'), { protocol: 'anthropic', callId: memberText(text, block, 'tool_use_id'), isError })
  })
}

/** An item of OpenAI's responses: `function_call_output`, `custom_tool_call_output`, `local_shell_call_output` and others. */
function ofItem (text: string, item: JsonObject): Result[] {
  if (memberText(text, item, 'type')?.endsWith('_call_output') !== true) return []
  return resultAt(text, member(item, 'output'), { protocol: 'openai-responses', callId: memberText(text, item, 'call_id') ?? memberText(text, item, 'id') })
}

function ofContent (text: string, content: JsonObject): Result[] {
  return itemsOf(content, 'parts').flatMap((part) => {
    const given = part.kind === 'object' ? memberObject(part, 'functionResponse') ?? memberObject(part, 'function_response') : undefined
    if (given === undefined) return []
    return resultAt(text, member(given, 'response'), { protocol: 'gemini', callId: memberText(text, given, 'id'), tool: memberText(text, given, 'name') })
  })
}
