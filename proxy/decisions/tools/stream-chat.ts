import { replaced, withoutItems, withoutMembers } from './edits.ts'
import { argumentsOf, objectJson, type Found, type Outcome } from './found.ts'
import { checkedName, itemsOf, member, memberObject, memberText, rawOf, textOf, Unreadable, type Json, type JsonObject } from './json.ts'
import { inTheirPlace } from './llm-answer.ts'
import { addText, type Assembler, type Passing, type StreamedCall } from './streamed.ts'

interface Piece {
  readonly passing: Passing
  readonly delta: JsonObject
  /** A member of `tool_calls`, or the `function_call`. */
  readonly item: JsonObject
  readonly given: Json | undefined
}

interface ChatCall {
  readonly pieces: Piece[]
  readonly written: string[]
  id: string | undefined
  name: string
  isText: boolean
  outcome: Outcome | undefined
}

interface Choice {
  /** By the index in `tool_calls`; -1 is the `function_call` of old. */
  readonly calls: Map<number, ChatCall>
  finish: { readonly passing: Passing, readonly reason: Json } | undefined
}

const maxCalls = 128

/**
 * Streamed chat completions (https://platform.openai.com/docs/api-reference/chat-streaming): pieces of calls by their index, complete when the choice
 * says why it ends.
 */
export class ChatAssembler implements Assembler {
  #choices = new Map<number, Choice>()

  get holding (): boolean {
    return this.#choices.size > 0
  }

  see (passing: Passing): StreamedCall[] {
    const { text, root } = passing
    if (root === undefined) return passing.event.data?.trim() === '[DONE]' ? this.end() : []
    for (const choice of itemsOf(root, 'choices')) {
      if (choice.kind !== 'object') continue
      const index = numberOf(text, member(choice, 'index')) ?? 0
      const delta = memberObject(choice, 'delta')
      if (delta !== undefined) this.#addPieces(passing, index, delta)
      const reason = member(choice, 'finish_reason')
      const begun = this.#choices.get(index)
      if (begun !== undefined && reason?.kind === 'string') begun.finish = { passing, reason }
    }
    return this.holding && [...this.#choices.values()].every(({ finish }) => finish !== undefined) ? this.end() : []
  }

  end (): StreamedCall[] {
    const choices = [...this.#choices.values()]
    this.#choices = new Map()
    return choices.flatMap((choice) => {
      const calls = [...choice.calls].toSorted(([a], [b]) => a - b).map(([, call]) => call)
      return calls.map((call, i) => ({
        found: foundOf(call),
        settle: (outcome) => {
          call.outcome = outcome
          if (i === calls.length - 1) settleChoice(choice, calls)
        },
      } satisfies StreamedCall))
    })
  }

  #addPieces (passing: Passing, index: number, delta: JsonObject): void {
    const { text } = passing
    for (const item of itemsOf(delta, 'tool_calls')) {
      if (item.kind !== 'object') throw new Unreadable('a piece of a call is no object')
      const number = numberOf(text, member(item, 'index'))
      if (number === undefined) throw new Unreadable('a piece of a call has no index')
      const custom = memberObject(item, 'custom')
      const said = custom ?? memberObject(item, 'function')
      const call = this.#callAt(index, number)
      if (custom !== undefined) call.isText = true
      addPiece(call, { passing, delta, item, given: said === undefined ? undefined : member(said, custom === undefined ? 'arguments' : 'input') }, said, memberText(text, item, 'id'))
    }
    const old = memberObject(delta, 'function_call')
    if (old !== undefined) addPiece(this.#callAt(index, -1), { passing, delta, item: old, given: member(old, 'arguments') }, old, undefined)
  }

  #callAt (choice: number, index: number): ChatCall {
    let begun = this.#choices.get(choice)
    if (begun === undefined) this.#choices.set(choice, begun = { calls: new Map(), finish: undefined })
    let call = begun.calls.get(index)
    if (call === undefined) begun.calls.set(index, call = { pieces: [], written: [], id: undefined, name: '', isText: false, outcome: undefined })
    if (begun.calls.size > maxCalls) throw new Unreadable(`an answer has more than ${maxCalls} calls`)
    return call
  }
}

function addPiece (call: ChatCall, piece: Piece, said: JsonObject | undefined, id: string | undefined): void {
  const { text } = piece.passing
  call.pieces.push(piece)
  // Some providers say both again with every piece; whether others put two names together, nobody knows.
  const name = said === undefined ? undefined : memberText(text, said, 'name')
  if (name !== undefined && name !== '') {
    if (call.name !== '' && call.name !== name) throw new Unreadable('the pieces of a call have several names')
    call.name = name
  }
  if (id !== undefined && id !== '') {
    if (call.id !== undefined && call.id !== id) throw new Unreadable('the pieces of a call have several ids')
    call.id = id
  }
  addText(text, call.written, piece.given)
}

function foundOf ({ written, id, name, isText }: ChatCall): Found {
  const said = written.join('')
  if (name === '') throw new Unreadable('a call of a tool has no text as name')
  const argumentsJson = isText ? Buffer.from(JSON.stringify(said)) : argumentsOf(said)
  return { kind: 'tool_call', value: { protocol: 'openai-chat', server: '', tool: checkedName(name, 'the name of a tool'), argumentsJson, callId: id ?? '' } }
}

function settleChoice ({ finish }: Choice, calls: readonly ChatCall[]): void {
  const refused = calls.filter(({ outcome }) => outcome?.kind === 'refused')
  for (const call of calls) if (call.outcome?.kind === 'replaced') otherArguments(call, call.outcome.json)
  if (refused.length === 0) return
  const isGone = new Set<Json>(refused.flatMap(({ pieces }) => pieces.map(({ item }) => item)))
  const deltas = new Map(refused.flatMap(({ pieces }) => pieces.map(({ delta, passing }) => [delta, passing] as const)))
  for (const [delta, passing] of deltas) takeOut(passing, delta, isGone, refused)
  calls.filter((call) => !refused.includes(call)).forEach((call, i) => renumber(call, i))
  if (refused.length < calls.length || finish === undefined) return
  const { passing, reason } = finish
  if (reason.kind === 'string' && ['tool_calls', 'function_call'].includes(textOf(passing.text, reason))) passing.edits.push(replaced(reason, '"stop"'))
}

/** The whole of them with the first piece, nothing with the others. */
function otherArguments ({ pieces, isText }: ChatCall, json: string): void {
  const text = isText && json.trimStart().startsWith('"') ? json : JSON.stringify(isText ? json : objectJson(json, 'arguments of a tool'))
  let first = true
  for (const { passing, given } of pieces) {
    if (given?.kind !== 'string') continue
    passing.edits.push(replaced(given, first ? text : '""'))
    first = false
  }
}

/** Takes what is refused out of one piece of a choice; the sentence stands where the call began. */
function takeOut (passing: Passing, delta: JsonObject, isGone: ReadonlySet<Json>, refused: readonly ChatCall[]): void {
  const { text } = passing
  const sentences = refused.filter(({ pieces }) => pieces[0]!.delta === delta).map(({ outcome }) => (outcome as Outcome & { kind: 'refused' }).sentence).join('\n')
  const list = member(delta, 'tool_calls')
  const allGone = list?.kind !== 'array' || list.items.every((item) => isGone.has(item))
  const taken = allGone ? ['tool_calls', 'function_call'] : []
  if (!allGone) passing.edits.push(...withoutItems(list, isGone))
  passing.edits.push(...sentences === '' ? withoutMembers(delta, taken) : inTheirPlace(text, delta, `${sentences}\n`, taken))
}

/** Clients put calls into a list by their index, which must not have gaps. */
function renumber ({ pieces }: ChatCall, index: number): void {
  for (const { passing, item } of pieces) {
    const held = member(item, 'index')
    if (held !== undefined && rawOf(passing.text, held) !== String(index)) passing.edits.push(replaced(held, String(index)))
  }
}

export function numberOf (text: string, value: Json | undefined): number | undefined {
  if (value?.kind !== 'number') return undefined
  const number = Number(rawOf(text, value))
  if (!Number.isInteger(number) || number < 0) throw new Unreadable('an index is no whole number')
  return number
}
