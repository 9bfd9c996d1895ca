import { itemsOf, member, memberObject, memberText, textOf, type Json, type JsonObject, type JsonText } from '../tools/json.ts'

/** A text that somebody wrote or that a model said, and where it stands. */
export interface TextAt {
  readonly role: string
  readonly text: string
  readonly node: JsonText
}

/** Whether a member of a message, or of a part of one, holds something to read. */
type IsRead = (name: string, type: string | undefined) => boolean

/** What models say to be read: the rest of an answer is for programs. */
const said: ReadonlySet<string> = new Set(['text', 'content', 'output', 'refusal', 'summary', 'thinking', 'parts'])
const isSaid: IsRead = (name) => said.has(name)

/** Names, addresses and packed files. Of a request everything else is looked through: what a provider makes of a member nobody here knows. */
const unread: ReadonlySet<string> = new Set([
  'id', 'type', 'role', 'status', 'model', 'object', 'format', 'detail', 'phase', 'url', 'image_url', 'file_id', 'file_url', 'file_data', 'fileData', 'inlineData', 'inline_data', 'input_audio',
  'b64_json', 'media_type', 'mime_type', 'mimeType', 'signature', 'thoughtSignature', 'thought_signature', 'encrypted_content', 'call_id', 'tool_call_id', 'tool_use_id', 'cache_control',
])
const isWritten: IsRead = (name, type) => name === 'data' ? type === 'text' : !unread.has(name)

/**
 * Everything that a request tells a model: instructions, messages with all their parts, prompts, and what tools gave. For OpenAI's chat completions,
 * completions and responses, Anthropic's messages and Gemini's contents.
 */
export function requestTexts (text: string, root: Json): TextAt[] {
  if (root.kind !== 'object') return []
  return [
    ...['system', 'instructions', 'systemInstruction', 'system_instruction'].flatMap((name) => inside(text, member(root, name), 'system')),
    ...itemsOf(root, 'messages').flatMap((message) => ofMessage(text, message)),
    ...['prompt', 'inputs', 'query'].flatMap((name) => inside(text, member(root, name), 'prompt')),
    ...ofInput(text, member(root, 'input')),
    ...itemsOf(root, 'contents').flatMap((message) => ofMessage(text, message)),
  ]
}

function ofInput (text: string, input: Json | undefined): TextAt[] {
  if (input?.kind !== 'array') return inside(text, input, 'prompt')
  return input.items.flatMap((item) => item.kind === 'object' ? ofMessage(text, item) : inside(text, item, 'prompt'))
}

function ofMessage (text: string, message: Json): TextAt[] {
  if (message.kind !== 'object') return []
  const isOutput = memberText(text, message, 'type')?.endsWith('_output') === true
  const role = memberText(text, message, 'role') ?? (isOutput ? 'tool' : 'user')
  return inside(text, message, role)
}

/** Texts of a value, and of the parts that it has; nesting is bounded where it was read. */
function inside (text: string, value: Json | undefined, role: string, isRead: IsRead = isWritten): TextAt[] {
  switch (value?.kind) {
    case 'string': return [{ role, text: textOf(text, value), node: value }]
    case 'array': return value.items.flatMap((item) => inside(text, item, role, isRead))
    case 'object': return insideObject(text, value, role, isRead)
    default: return []
  }
}

function insideObject (text: string, object: JsonObject, role: string, isRead: IsRead): TextAt[] {
  const type = memberText(text, object, 'type')
  const own = type?.endsWith('tool_result') === true || object.members.some(({ name }) => /^function_?response$/i.test(name)) ? 'tool' : role
  return object.members.flatMap(({ name, value }) => isRead(name, type) ? inside(text, value, own, isRead) : [])
}

/** What a model says, in a whole answer or in an event that holds one. */
export function answerTexts (text: string, root: Json): TextAt[] {
  const objects = root.kind === 'array' ? root.items : [root]
  return objects.flatMap((object) => object.kind !== 'object' ? [] : [
    ...itemsOf(object, 'choices').flatMap((choice) => choice.kind !== 'object' ? [] : [
      ...saidIn(text, memberObject(choice, 'message'), ['content', 'refusal', 'reasoning_content', 'reasoning']), ...saidIn(text, choice, ['text']),
    ]),
    ...saidIn(text, object, ['content', 'output', 'output_text']),
    ...itemsOf(object, 'candidates').flatMap((candidate) => candidate.kind === 'object' ? saidIn(text, memberObject(candidate, 'content'), ['parts']) : []),
  ])
}

export function saidIn (text: string, object: JsonObject | undefined, names: readonly string[]): TextAt[] {
  return object === undefined ? [] : names.flatMap((name) => inside(text, member(object, name), 'assistant', isSaid))
}

export function modelOf (text: string, root: Json): string {
  return root.kind === 'object' ? memberText(text, root, 'model')?.slice(0, 256) ?? '' : ''
}
