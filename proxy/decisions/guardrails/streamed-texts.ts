import { edited, replaced, type Edit } from '../tools/edits.ts'
import { itemsOf, member, memberObject, memberText, rawOf, readJson, textOf, Unreadable, type Json, type JsonObject, type JsonText } from '../tools/json.ts'
import { withData, type ServerEvent } from '../tools/server-events.ts'
import { answerTexts } from './texts.ts'

interface Seen {
  readonly event: ServerEvent
  readonly text: string
  readonly edits: Edit[]
}

interface Piece {
  readonly seen: Seen
  readonly node: JsonText
  readonly text: string
}

/** Texts that a model streams, put together from their pieces. */
export class StreamedTexts {
  readonly #events: Seen[] = []
  /** By what they are pieces of. */
  readonly #pieces = new Map<string, Piece[]>()
  /** Texts that are whole in one event; some formats say so what they have streamed before. */
  readonly #whole: Piece[] = []
  readonly #taken = new WeakSet<Json>()
  readonly #keepEvents: boolean

  /** `keepEvents`: the stream is to be written anew, with other texts in it. */
  constructor (keepEvents: boolean) {
    this.#keepEvents = keepEvents
  }

  see (event: ServerEvent): void {
    if (event.problem !== undefined) throw new Unreadable(event.problem)
    const text = event.data ?? ''
    const seen: Seen = { event, text, edits: [] }
    if (this.#keepEvents) this.#events.push(seen)
    if (!/^\s*[[{]/.test(text) || text.trim() === '[DONE]') return
    const root = readJson(text)
    for (const object of root.kind === 'array' ? root.items : [root]) if (object.kind === 'object') this.#look(seen, object)
  }

  /** Each text once, in the order of their beginnings. */
  all (): string[] {
    const streamed = [...this.#pieces.values()].map((pieces) => pieces.map(({ text }) => text).join(''))
    return [...new Set([...streamed, ...this.#whole.map(({ text }) => text)])].filter((text) => text !== '')
  }

  /** The stream with other texts: `changed` has them by what they were. */
  written (changed: ReadonlyMap<string, string>): Buffer[] {
    for (const pieces of this.#pieces.values()) {
      const other = changed.get(pieces.map(({ text }) => text).join(''))
      if (other !== undefined) pieces.forEach(({ seen, node }, i) => seen.edits.push(replaced(node, JSON.stringify(i === 0 ? other : ''))))
    }
    for (const { seen, node, text } of this.#whole) {
      const other = changed.get(text)
      if (other !== undefined) seen.edits.push(replaced(node, JSON.stringify(other)))
    }
    return this.#events.map(({ event, text, edits }) => edits.length === 0 ? event.raw : withData(event, edited(text, edits)))
  }

  #look (seen: Seen, object: JsonObject): void {
    const { text } = seen
    for (const choice of itemsOf(object, 'choices')) {
      if (choice.kind !== 'object') continue
      const key = `choice ${rawIn(text, choice, 'index')}`
      const delta = memberObject(choice, 'delta')
      if (delta !== undefined) for (const name of ['content', 'refusal', 'reasoning_content', 'reasoning']) this.#add(seen, `${key} ${name}`, member(delta, name))
      if (memberObject(choice, 'message') === undefined) this.#add(seen, `${key} text`, member(choice, 'text'))
    }
    for (const candidate of itemsOf(object, 'candidates')) {
      const content = candidate.kind === 'object' ? memberObject(candidate, 'content') : undefined
      if (content === undefined) continue
      for (const part of itemsOf(content, 'parts')) if (part.kind === 'object') this.#add(seen, `candidate ${rawIn(text, candidate as JsonObject, 'index')}`, member(part, 'text')) // It has a member.
    }
    this.#lookAtEvent(seen, object)
  }

  /** Events with a type: Anthropic's messages and OpenAI's responses. */
  #lookAtEvent (seen: Seen, object: JsonObject): void {
    const { text } = seen
    const type = memberText(text, object, 'type') ?? ''
    const index = ['output_index', 'content_index', 'index', 'summary_index'].map((name) => rawIn(text, object, name)).join('.')
    const delta = member(object, 'delta')
    if (delta?.kind === 'object') for (const name of ['text', 'thinking']) this.#add(seen, `block ${index} ${name}`, member(delta, name))
    else if (/(?:text|refusal)\.delta$/.test(type)) this.#add(seen, `item ${index} ${type}`, delta)
    const block = memberObject(object, 'content_block')
    if (block !== undefined) for (const name of ['text', 'thinking']) this.#add(seen, `block ${index} ${name}`, member(block, name))
    if (/(?:text|refusal)\.done$/.test(type)) for (const name of ['text', 'refusal']) this.#addWhole(seen, member(object, name))
    if (itemsOf(object, 'candidates').length > 0) return
    for (const whole of [object, ...['message', 'response', 'item', 'part'].flatMap((name) => memberObject(object, name) ?? [])]) {
      for (const { node } of answerTexts(text, whole)) this.#addWhole(seen, node)
      if (whole !== object) this.#addWhole(seen, member(whole, 'text'))
    }
  }

  #add (seen: Seen, key: string, node: Json | undefined): void {
    if (node?.kind !== 'string') return
    this.#taken.add(node)
    const pieces = this.#pieces.get(key)
    const piece = { seen, node, text: textOf(seen.text, node) }
    if (pieces === undefined) this.#pieces.set(key, [piece])
    else pieces.push(piece)
  }

  #addWhole (seen: Seen, node: Json | undefined): void {
    if (node?.kind !== 'string' || this.#taken.has(node)) return
    this.#taken.add(node)
    this.#whole.push({ seen, node, text: textOf(seen.text, node) })
  }
}

function rawIn (text: string, object: JsonObject, name: string): string {
  const value = member(object, name)
  return value === undefined ? '' : rawOf(text, value)
}
