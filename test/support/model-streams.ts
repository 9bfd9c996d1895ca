/** One event of a stream as a provider of models writes it. */
export function event (data: object | string, type?: string): string {
  return `${type === undefined ? '' : `event: ${type}\n`}data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`
}

export interface StreamedCall {
  readonly name: string
  readonly id: string
  /** The arguments in the pieces in which they come. */
  readonly pieces: readonly string[]
}

/** What a client that puts a stream together has in the end. */
export interface Assembled {
  readonly text: string
  readonly calls: ReadonlyArray<readonly [name: string, args: unknown]>
  readonly stop: unknown
}

export interface StreamFormat {
  readonly protocol: string
  /** A stream: a word of text, these calls, and the end. */
  readonly stream: (calls: readonly StreamedCall[]) => readonly string[]
  readonly assemble: (stream: string) => Assembled
  readonly stops: { readonly calls: unknown, readonly none: unknown }
}

/** The data of all events, as a reader by the letter of the specification finds them. */
export function dataOf (stream: string): string[] {
  return stream.split(/(?:\r\n|\n|\r)(?:\r\n|\n|\r)/).flatMap((block) => {
    const lines = block.split(/\r\n|\n|\r/).filter((line) => line.startsWith('data:')).map((line) => line.slice(5).replace(/^ /, ''))
    return lines.length === 0 ? [] : [lines.join('\n')]
  })
}

function objectsOf<T> (stream: string): T[] {
  return dataOf(stream).filter((data) => data.startsWith('{')).map((data) => JSON.parse(data) as T) // The test says what is in them.
}

const parsed = (text: string): unknown => JSON.parse(text === '' ? '{}' : text)

interface ChatChunk { choices: Array<{ delta: { content?: string, tool_calls?: Array<{ index: number, function: { name?: string, arguments?: string } }> }, finish_reason: string | null }> }

const chat: StreamFormat = {
  protocol: 'openai-chat',
  stops: { calls: 'tool_calls', none: 'stop' },
  stream: (calls) => [
    event({ choices: [{ index: 0, delta: { role: 'assistant', content: 'Well. ' }, finish_reason: null }] }),
    ...calls.flatMap(({ name, id, pieces }, index) => [
      event({ choices: [{ index: 0, delta: { tool_calls: [{ index, id, type: 'function', function: { name, arguments: '' } }] }, finish_reason: null }] }),
      ...pieces.map((piece) => event({ choices: [{ index: 0, delta: { tool_calls: [{ index, function: { arguments: piece } }] }, finish_reason: null }] })),
    ]),
    event({ choices: [{ index: 0, delta: {}, finish_reason: 'tool_calls' }] }), event({ choices: [], usage: { total_tokens: 3 } }), event('[DONE]'),
  ],
  assemble (stream) {
    const calls: Array<{ name: string, args: string }> = []
    let text = ''
    let stop: unknown
    for (const { choices } of objectsOf<ChatChunk>(stream)) {
      for (const { delta, finish_reason: reason } of choices) {
        text += delta.content ?? ''
        stop = reason ?? stop
        for (const { index, function: f } of delta.tool_calls ?? []) {
          const call = calls[index] ??= { name: '', args: '' }
          call.name += f.name ?? ''
          call.args += f.arguments ?? ''
        }
      }
    }
    return { text, stop, calls: Array.from(calls, ({ name, args }) => [name, parsed(args)] as const) }
  },
}

interface BlockEvent { type: string, index: number, content_block?: { type: string, text?: string, name: string }, delta: { type: string, text?: string, partial_json?: string, stop_reason?: string } }

const messages: StreamFormat = {
  protocol: 'anthropic',
  stops: { calls: 'tool_use', none: 'end_turn' },
  stream: (calls) => {
    const say = (data: { type: string }): string => event(data, data.type)
    return [
      say({ type: 'message_start', message: { id: 'm', role: 'assistant', content: [], stop_reason: null } } as { type: string }),
      say({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } } as { type: string }), say({ type: 'ping' }),
      say({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Well. ' } } as { type: string }), say({ type: 'content_block_stop', index: 0 } as { type: string }),
      ...calls.flatMap(({ name, id, pieces }, i) => [
        say({ type: 'content_block_start', index: i + 1, content_block: { type: 'tool_use', id, name, input: {} } } as { type: string }),
        ...pieces.map((piece) => say({ type: 'content_block_delta', index: i + 1, delta: { type: 'input_json_delta', partial_json: piece } } as { type: string })),
        say({ type: 'content_block_stop', index: i + 1 } as { type: string }),
      ]),
      say({ type: 'message_delta', delta: { stop_reason: 'tool_use' }, usage: { output_tokens: 9 } } as { type: string }), say({ type: 'message_stop' }),
    ]
  },
  assemble (stream) {
    const blocks: Array<{ type: string, name: string, text: string, json: string }> = []
    let stop: unknown
    for (const { type, index, content_block: block, delta } of objectsOf<BlockEvent>(stream)) {
      if (type === 'content_block_start') blocks[index] = { type: block!.type, name: block!.name, text: block!.text ?? '', json: '' }
      if (type === 'content_block_delta') blocks[index]!.text += delta.text ?? ''
      if (type === 'content_block_delta') blocks[index]!.json += delta.partial_json ?? ''
      if (type === 'message_delta') stop = delta.stop_reason
    }
    return { text: blocks.map(({ text }) => text).join(''), stop, calls: blocks.filter(({ type }) => type === 'tool_use').map(({ name, json }) => [name, parsed(json)] as const) }
  },
}

interface ItemEvent { type: string, output_index: number, delta: string, response: { status: string, output: Array<{ type: string, name: string, arguments: string, content: Array<{ text: string }> }> } }

const responses: StreamFormat = {
  protocol: 'openai-responses',
  stops: { calls: 'completed', none: 'completed' },
  stream: (calls) => {
    let number = 0
    const say = (type: string, more: object): string => event({ type, sequence_number: number++, ...more }, type)
    const item = ({ name, id }: StreamedCall, args: string, status: string): object => ({ type: 'function_call', id: `fc_${id}`, call_id: id, name, arguments: args, status })
    const text = { type: 'message', id: 'msg', status: 'completed', role: 'assistant', content: [{ type: 'output_text', text: 'Well. ', annotations: [] }] }
    return [
      say('response.created', { response: { id: 'r', status: 'in_progress', output: [] } }),
      say('response.output_item.added', { output_index: 0, item: { ...text, status: 'in_progress', content: [] } }),
      say('response.output_text.delta', { output_index: 0, content_index: 0, item_id: 'msg', delta: 'Well. ' }),
      say('response.output_item.done', { output_index: 0, item: text }),
      ...calls.flatMap((call, i) => [
        say('response.output_item.added', { output_index: i + 1, item: item(call, '', 'in_progress') }),
        ...call.pieces.map((piece) => say('response.function_call_arguments.delta', { output_index: i + 1, item_id: `fc_${call.id}`, delta: piece })),
        say('response.function_call_arguments.done', { output_index: i + 1, item_id: `fc_${call.id}`, arguments: call.pieces.join('') }),
        say('response.output_item.done', { output_index: i + 1, item: item(call, call.pieces.join(''), 'completed') }),
      ]),
      say('response.completed', { response: { id: 'r', status: 'completed', output: [text, ...calls.map((call) => item(call, call.pieces.join(''), 'completed'))] } }),
    ]
  },
  /** By the last event, which says it all; the others have to say the same. */
  assemble (stream) {
    const events = objectsOf<ItemEvent>(stream)
    const { response: { output, status } } = events.find(({ type }) => type === 'response.completed')!
    const text = output.filter(({ type }) => type === 'message').map(({ content }) => content[0]!.text).join('')
    const calls = output.filter(({ type }) => type === 'function_call')
    const pieces = (type: string): string => events.filter((one) => one.type === type).map(({ delta }) => delta).join('')
    if (pieces('response.output_text.delta') !== text) throw new Error('the pieces of the text are not what it ends as')
    if (pieces('response.function_call_arguments.delta') !== calls.map(({ arguments: args }) => args).join('')) throw new Error('the pieces of the calls are not what they end as')
    return { text, stop: status, calls: calls.map(({ name, arguments: args }) => [name, parsed(args)] as const) }
  },
}

interface GeminiChunk { candidates: [{ finishReason?: string, content: { parts: Array<{ text?: string, functionCall?: { name: string, args: unknown } }> } }] }

const gemini: StreamFormat = {
  protocol: 'gemini',
  stops: { calls: 'STOP', none: 'STOP' },
  stream: (calls) => [
    event({ candidates: [{ content: { role: 'model', parts: [{ text: 'Well. ' }] } }] }),
    ...calls.map(({ name, id, pieces }) => event({ candidates: [{ content: { role: 'model', parts: [{ functionCall: { id, name, args: parsed(pieces.join('')) } }] } }] })),
    event({ candidates: [{ content: { role: 'model', parts: [{ text: '' }] }, finishReason: 'STOP' }] }),
  ],
  assemble (stream) {
    const parts = objectsOf<GeminiChunk>(stream).flatMap(({ candidates: [{ content }] }) => content.parts)
    return { text: parts.map(({ text = '' }) => text).join(''), stop: 'STOP', calls: parts.flatMap(({ functionCall: f }) => f === undefined ? [] : [[f.name, f.args] as const]) }
  },
}

export const streamFormats: Readonly<Record<string, StreamFormat>> = {
  'OpenAI chat completions': chat, 'Anthropic messages': messages, 'OpenAI responses': responses, 'Gemini generateContent': gemini,
}
