import { replaced } from './edits.ts'
import { objectJson, Unfit, type Outcome } from './found.ts'
import { member, memberObject, memberText, textOf, Unreadable, type Json, type JsonObject } from './json.ts'
import { responseCall, type Call } from './llm-answer.ts'
import { numberOf } from './stream-chat.ts'
import { addText, eventText, type Assembler, type Passing, type StreamedCall } from './streamed.ts'

interface Item {
  readonly index: number
  readonly added: Passing
  readonly item: JsonObject
  /** Events about it between its beginning and its end. */
  readonly between: Passing[]
  readonly written: string[]
}

/**
 * Streamed responses of OpenAI (https://platform.openai.com/docs/api-reference/responses-streaming): an item is added, grows, and is said once more
 * when it is done. A reader may take any of the three for the call, so they have to say the same.
 */
export class ItemAssembler implements Assembler {
  readonly #open = new Map<number, Item>()

  get holding (): boolean {
    return this.#open.size > 0
  }

  see (passing: Passing): StreamedCall[] {
    const { text, root } = passing
    const type = root === undefined ? undefined : memberText(text, root, 'type')
    if (root === undefined || type?.startsWith('response.') !== true) return []
    const index = numberOf(text, member(root, 'output_index'))
    if (index === undefined) {
      if (this.holding && /^response\.(?:completed|incomplete|failed)$/.test(type)) throw new Unreadable('a call in the answer has no end')
      return []
    }
    if (type === 'response.output_item.added') this.#begin(passing, root, index)
    const begun = this.#open.get(index)
    if (type === 'response.output_item.done') return this.#complete(passing, root, index, begun)
    if (begun === undefined && /_call[._]/.test(type)) throw new Unreadable('a piece came for no call')
    if (begun !== undefined && passing !== begun.added) add(passing, root, type, begun)
    return []
  }

  end (): StreamedCall[] {
    if (this.holding) throw new Unreadable('a call in the answer has no end')
    return []
  }

  #begin (passing: Passing, root: JsonObject, index: number): void {
    const item = memberObject(root, 'item')
    if (item === undefined || memberText(passing.text, item, 'type')?.endsWith('_call') !== true) return
    if (this.#open.has(index)) throw new Unreadable('an item of an answer begins twice')
    this.#open.set(index, { index, added: passing, item, between: [], written: [] })
  }

  #complete (done: Passing, root: JsonObject, index: number, begun: Item | undefined): StreamedCall[] {
    this.#open.delete(index)
    const item = memberObject(root, 'item')
    const call = item === undefined ? undefined : responseCall(done.text, item)
    if (call === undefined && begun === undefined) return []
    if (call === undefined) throw new Unreadable('a call ends as something else')
    if (begun !== undefined) checkSame(begun, done, call)
    return [{
      found: call.found,
      settle: (outcome) => {
        if (outcome?.kind === 'refused') refuse(begun, index, done, call, outcome.sentence)
        else if (outcome !== undefined) otherArguments(begun, done, call, outcome)
      },
    }]
  }
}

function add (passing: Passing, root: JsonObject, type: string, item: Item): void {
  item.between.push(passing)
  if (type.endsWith('.delta')) addText(passing.text, item.written, member(root, 'delta'))
}

function givenIn (root: JsonObject): Json | undefined {
  return member(root, 'arguments') ?? member(root, 'input')
}

function actionIn (item: JsonObject): Json | undefined {
  return member(item, 'action') ?? member(item, 'operation')
}

/** What came in pieces, what was said when they were complete, and what the item says in the end. */
function checkSame ({ added, item, between, written }: Item, { text }: Passing, { given, item: last, form }: Call): void {
  const name = memberText(added.text, item, 'name')
  if (name !== memberText(text, last, 'name') || memberText(added.text, item, 'type') !== memberText(text, last, 'type')) throw new Unreadable('a call begins with another name than it ends')
  const early = form === 'json' ? undefined : givenIn(item)
  if (form === 'json' || given?.kind !== 'string') return
  const whole = textOf(text, given)
  const before = early?.kind === 'string' ? textOf(added.text, early) : ''
  if (before !== '' && (before !== whole || written.join('') !== '')) throw new Unreadable('a call begins with other arguments than it ends')
  if (written.length > 0 && written.join('') !== whole) throw new Unreadable('the pieces of a call are not what it ends as')
  for (const { text: own, root } of between) {
    const said = root === undefined ? undefined : givenIn(root)
    if (said?.kind === 'string' && textOf(own, said) !== whole) throw new Unreadable('the pieces of a call are not what it ends as')
  }
}

function refuse (begun: Item | undefined, index: number, done: Passing, call: Call, sentence: string): void {
  const id = `msg_refused_${index}`
  const about = { item_id: id, output_index: index, content_index: 0, ...numbered(done) }
  const part = (text: string) => ({ type: 'output_text', text, annotations: [] })
  const message = (status: string, content: readonly object[]): string => JSON.stringify({ type: 'message', id, status, role: 'assistant', content })
  const say = (type: string, more: object): string => eventText(type, { type, ...about, ...more })
  done.edits.push(replaced(call.item, message('completed', [part(sentence)])))
  if (begun === undefined) return
  for (const passing of begun.between) passing.dropped = true
  begun.added.edits.push(replaced(begun.item, message('in_progress', [])))
  begun.added.behind.push(
    say('response.content_part.added', { part: part('') }),
    say('response.output_text.delta', { delta: sentence }),
    say('response.output_text.done', { text: sentence }),
    say('response.content_part.done', { part: part(sentence) }),
  )
}

/** What stands for others has the number of the last of them. */
function numbered ({ text, root }: Passing): object {
  const number = root === undefined ? undefined : numberOf(text, member(root, 'sequence_number'))
  return number === undefined ? {} : { sequence_number: number }
}

function otherArguments (begun: Item | undefined, done: Passing, { given, form }: Call, { json }: Outcome & { kind: 'replaced' }): void {
  if (given === undefined) throw new Unfit('there are no arguments that others could replace')
  const early = begun === undefined ? undefined : givenIn(begun.item) ?? actionIn(begun.item)
  if (form === 'json') {
    const object = objectJson(json, 'arguments of a tool')
    done.edits.push(replaced(given, object))
    if (early !== undefined) begun!.added.edits.push(replaced(early, object))
    return
  }
  const value = form === 'text' && json.trimStart().startsWith('"') ? JSON.parse(json) as string : json // It begins as a text.
  let first = true
  for (const passing of begun?.between ?? []) {
    const { root, text } = passing
    if (root === undefined) continue
    const piece = memberText(text, root, 'type')?.endsWith('.delta') === true ? member(root, 'delta') : undefined
    const said = givenIn(root)
    if (piece !== undefined) passing.edits.push(replaced(piece, JSON.stringify(first ? value : '')))
    if (piece !== undefined) first = false
    if (said !== undefined) passing.edits.push(replaced(said, JSON.stringify(value)))
  }
  if (early?.kind === 'string' && textOf(begun!.added.text, early) !== '') begun!.added.edits.push(replaced(early, JSON.stringify(value)))
  done.edits.push(replaced(given, JSON.stringify(value)))
}
