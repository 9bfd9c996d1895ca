import { replaced } from './edits.ts'
import { maxFound, objectJson, type Found, type Outcome, type Reading } from './found.ts'
import { checkedName, member, memberObject, memberText, rawOf, textOf, Unreadable, type Json, type JsonObject } from './json.ts'

/** The code of the errors that stand for refused calls: of those that JSON-RPC leaves to applications (https://www.jsonrpc.org/specification#error_object). */
const refusedCode = -32050

/** What was sent, by its ids: the tool that was called, `undefined` for requests of other methods. */
export type Pending = Map<string, string | undefined>

export interface McpRequest extends Reading {
  /** An answer with an error for every id, in the form of the request. `refused`: the call that it is about. */
  refusal (refused: Found, sentence: string, ticket: string | undefined): string
}

interface Message {
  readonly object: JsonObject
  readonly id: Json | undefined
  readonly found: Found | undefined
}

/** The messages of a body: one, or a batch (MCP 2025-03-26). Throws `Unreadable` for lists in lists: some programs would flatten them. */
function messagesOf (root: Json): JsonObject[] {
  if (root.kind === 'object') return [root]
  if (root.kind !== 'array') return []
  if (root.items.some(({ kind }) => kind === 'array')) throw new Unreadable('a batch has another batch in it')
  return root.items.filter((item): item is JsonObject => item.kind === 'object')
}

/** `tools/call` requests (https://modelcontextprotocol.io/specification/2025-06-18/server/tools#calling-tools). `undefined`: there is none. */
export function readMcpRequest (text: string, root: Json): McpRequest | undefined {
  const messages = messagesOf(root).flatMap((object): Message[] => {
    const method = memberText(text, object, 'method')
    if (method === undefined) return []
    const id = member(object, 'id')
    return [{ object, id, found: method === 'tools/call' ? callOf(text, object, id) : undefined }]
  })
  const found = messages.flatMap((message) => message.found ?? [])
  if (found.length === 0) return undefined
  if (found.length > maxFound) throw new Unreadable(`a batch has more than ${maxFound} calls`)
  return {
    found,
    edits: (outcomes) => messages.flatMap(({ object, found: call }) => {
      const outcome = call === undefined ? undefined : outcomes.get(call)
      if (outcome?.kind !== 'replaced') return []
      const params = memberObject(object, 'params')!
      const json = objectJson(outcome.json, 'arguments of a tool')
      const held = member(params, 'arguments')
      return [held === undefined ? { start: params.start + 1, end: params.start + 1, text: `"arguments":${json},` } : replaced(held, json)]
    }),
    refusal (refused, sentence, ticket) {
      const errors = messages.filter(({ id, found: call }) => id !== undefined || call === refused).map(({ id, found: call }) => (
        errorMessage(id === undefined ? 'null' : rawOf(text, id), call === refused ? sentence : 'It was not sent, because a call of the same batch was refused.', call === refused ? ticket : undefined)
      ))
      return root.kind === 'array' ? `[${errors.join(',')}]` : errors[0]!
    },
  }
}

/** Without an id it is a notification, which no server should take for a call; some do. */
function callOf (text: string, object: JsonObject, id: Json | undefined): Found {
  const params = member(object, 'params')
  if (params?.kind !== 'object') throw new Unreadable('a call of a tool has no object as params')
  const tool = memberText(text, params, 'name')
  if (tool === undefined) throw new Unreadable('a call of a tool has no text as name')
  const given = member(params, 'arguments')
  return {
    kind: 'tool_call',
    value: {
      protocol: 'mcp', server: '', tool: checkedName(tool, 'the name of a tool'),
      argumentsJson: given === undefined ? Buffer.alloc(0) : Buffer.from(rawOf(text, given)),
      callId: id === undefined ? '' : idText(text, id),
    },
  }
}

/** A text or a number (MCP; JSON-RPC has null as well, which tells nobody what an answer is about). Throws `Unreadable` for anything else. */
function idText (text: string, id: Json): string {
  if (id.kind === 'string') return textOf(text, id)
  if (id.kind !== 'number') throw new Unreadable('the id of a call is neither text nor number')
  const raw = rawOf(text, id)
  // 2^53 and one more are the same number for some programs: their answers would be taken for one another's.
  if (!Number.isSafeInteger(Number(raw))) throw new Unreadable('the id of a call is a number that not every program keeps')
  return raw
}

/** The requests of a body, as their answers name them: 1 and "1" are two ids, 1 and 1.0 are one. */
export function pendingOf (text: string, root: Json): Pending {
  const pending: Pending = new Map()
  for (const object of messagesOf(root)) {
    const method = memberText(text, object, 'method')
    const id = member(object, 'id')
    if (method === undefined || (id?.kind !== 'string' && id?.kind !== 'number')) continue
    const key = idKey(text, id)
    if (pending.has(key)) throw new Unreadable('two requests of a batch have the same id')
    const params = method === 'tools/call' ? memberObject(object, 'params') : undefined
    pending.set(key, params === undefined ? undefined : memberText(text, params, 'name'))
  }
  return pending
}

function idKey (text: string, id: Json): string {
  return id.kind === 'string' ? `"${textOf(text, id)}` : String(Number(rawOf(text, id)))
}

/** Answers to calls of tools, and, where nobody knows what was asked (a stream that is taken up again), what looks like one. */
export function readMcpAnswer (text: string, root: Json, pending: Pending): Reading {
  const results = messagesOf(root).flatMap((object) => {
    const id = member(object, 'id')
    if (id === undefined || (id.kind !== 'string' && id.kind !== 'number')) return []
    const result = member(object, 'result')
    const error = member(object, 'error')
    const body = error ?? result
    if (body === undefined) return []
    if (error !== undefined && result !== undefined) throw new Unreadable('an answer is both a result and an error')
    const key = idKey(text, id)
    const tool = pending.get(key)
    if (tool === undefined && (pending.has(key) || !looksLikeResult(object, result))) return []
    return [{ object, id, body, found: resultOf(text, id, body, error !== undefined, tool ?? '') }]
  })
  if (results.length > maxFound) throw new Unreadable(`a batch has more than ${maxFound} results`)
  return {
    found: results.map(({ found }) => found),
    edits: (outcomes) => results.flatMap(({ object, id, body, found }) => {
      const outcome = outcomes.get(found)
      if (outcome === undefined) return []
      if (outcome.kind === 'refused') return [replaced(object, refusedResult(rawOf(text, id), outcome))]
      return [replaced(body, objectJson(outcome.json, 'the result of a tool'))]
    }),
  }
}

function looksLikeResult (object: JsonObject, result: Json | undefined): boolean {
  if (result?.kind !== 'object' || member(object, 'jsonrpc') === undefined) return false
  return member(result, 'content')?.kind === 'array' || member(result, 'structuredContent') !== undefined
}

function resultOf (text: string, id: Json, body: Json, isError: boolean, tool: string): Found {
  return {
    kind: 'tool_result',
    value: {
      protocol: 'mcp', server: '', tool, callId: id.kind === 'string' ? textOf(text, id) : rawOf(text, id),
      resultJson: Buffer.from(rawOf(text, body)),
      isError: isError || (body.kind === 'object' && member(body, 'isError')?.kind === 'true'),
    },
  }
}

function refusedResult (id: string, { sentence, ticket }: Outcome & { readonly kind: 'refused' }): string {
  return errorMessage(id, sentence, ticket)
}

/** `id` as it stood in the request, so that it comes back as it was. */
function errorMessage (id: string, message: string, ticket: string | undefined): string {
  const data = ticket === undefined ? '' : `,"data":${JSON.stringify({ ticket })}`
  return `{"jsonrpc":"2.0","id":${id},"error":{"code":${refusedCode},"message":${JSON.stringify(message)}${data}}}`
}
