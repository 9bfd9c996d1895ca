import { joinedReadings, type Reading } from './found.ts'
import { member, memberObject, readJson, type Json, type JsonObject } from './json.ts'
import { readLlmAnswer } from './llm-answer.ts'
import { readMcpAnswer, type Pending } from './mcp.ts'
import { BlockAssembler } from './stream-blocks.ts'
import { ChatAssembler } from './stream-chat.ts'
import { ItemAssembler } from './stream-items.ts'
import type { Assembler } from './streamed.ts'

/** One for each way in which calls are streamed. */
export function assemblers (): readonly Assembler[] {
  return [new ChatAssembler(), new BlockAssembler(), new ItemAssembler()]
}

/** The data of an event when it is JSON. Events may hold anything; providers of models end their streams with a word in brackets. Throws `Unreadable`. */
export function eventJson (data: string): Json | undefined {
  return /^\s*[[{]/.test(data) && data.trim() !== '[DONE]' ? readJson(data) : undefined
}

/** Calls and results that are whole in one event. */
export function readingOfEvent (text: string, root: Json, pending: Pending): Reading {
  const objects = (root.kind === 'array' ? root.items : [root]).filter((item): item is JsonObject => item.kind === 'object')
  return joinedReadings([
    readMcpAnswer(text, root, pending),
    ...objects.filter((object) => member(object, 'jsonrpc') === undefined).flatMap((object) => (
      // The first event of a message and the last ones of a response hold the answer as it stands.
      [object, memberObject(object, 'message'), memberObject(object, 'response')].flatMap((one) => one === undefined ? [] : readLlmAnswer(text, one))
    )),
  ])
}
