import { replaced } from './edits.ts'
import { argumentsOf, objectJson, type Found, type Outcome } from './found.ts'
import { checkedName, member, memberObject, memberText, rawOf, textOf, Unreadable, type JsonObject } from './json.ts'
import { isToolBlock } from './llm-answer.ts'
import { numberOf } from './stream-chat.ts'
import { addText, eventText, type Assembler, type Passing, type StreamedCall } from './streamed.ts'

interface Block {
  readonly index: number
  readonly start: Passing
  readonly block: JsonObject
  readonly deltas: Passing[]
  readonly written: string[]
}

/** Streamed messages of Anthropic (https://docs.anthropic.com/en/api/messages-streaming): one block after the other, each with a beginning and an end. */
export class BlockAssembler implements Assembler {
  readonly #open = new Map<number, Block>()
  #calls = 0
  #refused = 0

  get holding (): boolean {
    return this.#open.size > 0
  }

  see (passing: Passing): StreamedCall[] {
    const { text, root } = passing
    if (root === undefined) return []
    switch (memberText(text, root, 'type')) {
      case 'content_block_start': this.#begin(passing, root); return []
      case 'content_block_delta': this.#add(passing, root); return []
      case 'content_block_stop': return this.#complete(passing, root)
      case 'message_delta': this.#stopped(passing, root); return []
      case 'message_stop': return this.end()
      default: return []
    }
  }

  /** A block without an end: whoever puts it together may use what came. */
  end (): StreamedCall[] {
    return [...this.#open.values()].map((block) => this.#call(block))
  }

  #begin (passing: Passing, root: JsonObject): void {
    const block = memberObject(root, 'content_block')
    if (block === undefined || !isToolBlock(memberText(passing.text, block, 'type'))) return
    const index = indexOf(passing.text, root)
    if (this.#open.has(index)) throw new Unreadable('a block of an answer begins twice')
    this.#open.set(index, { index, start: passing, block, deltas: [], written: [] })
  }

  #add (passing: Passing, root: JsonObject): void {
    const delta = memberObject(root, 'delta')
    const json = delta === undefined ? undefined : member(delta, 'partial_json')
    if (json === undefined) return
    const block = this.#open.get(indexOf(passing.text, root))
    if (block === undefined) throw new Unreadable('arguments came for no call')
    block.deltas.push(passing)
    addText(passing.text, block.written, json)
  }

  #complete (passing: Passing, root: JsonObject): StreamedCall[] {
    const block = this.#open.get(indexOf(passing.text, root))
    return block === undefined ? [] : [this.#call(block)]
  }

  #call (block: Block): StreamedCall {
    this.#open.delete(block.index)
    this.#calls++
    return {
      found: foundOf(block),
      settle: (outcome) => {
        if (outcome?.kind === 'refused') this.#refused++
        if (outcome !== undefined) settle(block, outcome)
      },
    }
  }

  /** Why the model stopped is said behind all blocks. */
  #stopped (passing: Passing, root: JsonObject): void {
    const delta = memberObject(root, 'delta')
    const reason = delta === undefined ? undefined : member(delta, 'stop_reason')
    if (reason?.kind !== 'string' || textOf(passing.text, reason) !== 'tool_use') return
    if (this.#calls > 0 && this.#refused === this.#calls) passing.edits.push(replaced(reason, '"end_turn"'))
  }
}

function foundOf ({ start: { text }, block, written }: Block): Found {
  const tool = memberText(text, block, 'name')
  if (tool === undefined) throw new Unreadable('a call of a tool has no text as name')
  const input = member(block, 'input')
  const before = input?.kind === 'object' && input.members.length > 0 ? rawOf(text, input) : ''
  const pieces = written.join('')
  if (before !== '' && pieces.trim() !== '') throw new Unreadable('a call has its arguments twice')
  return {
    kind: 'tool_call',
    value: {
      protocol: 'anthropic', server: memberText(text, block, 'server_name') ?? '', tool: checkedName(tool, 'the name of a tool'),
      argumentsJson: argumentsOf(before === '' ? pieces : before), callId: memberText(text, block, 'id') ?? '',
    },
  }
}

function settle ({ start, block, index, deltas }: Block, outcome: Outcome): void {
  for (const delta of deltas) delta.dropped = true
  if (outcome.kind === 'refused') {
    start.edits.push(replaced(block, '{"type":"text","text":""}'))
    start.behind.push(deltaText(index, { type: 'text_delta', text: outcome.sentence }))
    return
  }
  const input = member(block, 'input')
  if (input !== undefined) start.edits.push(replaced(input, '{}'))
  start.behind.push(deltaText(index, { type: 'input_json_delta', partial_json: objectJson(outcome.json, 'arguments of a tool') }))
}

function deltaText (index: number, delta: Readonly<Record<string, string>>): string {
  return eventText('content_block_delta', { type: 'content_block_delta', index, delta })
}

function indexOf (text: string, root: JsonObject): number {
  const index = numberOf(text, member(root, 'index'))
  if (index === undefined) throw new Unreadable('an event of a block has no index')
  return index
}
