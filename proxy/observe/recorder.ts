import type { Event, EventOneOf, Reply } from '../../proto/codec/index.ts'
import type { AgentTap, TalkTap } from '../pipeline/agent-tap.ts'
import type { Fault } from '../pipeline/faults.ts'

/** One event as it was put to an agent, and what came of it. */
export interface Said {
  readonly event: Event
  /** Bytes of what `event` may hold the beginning of alone. */
  readonly dataBytes: number
  reply: Reply | undefined
  fault: Fault | undefined
  readonly sinceMs: number
  ms: number
}

export interface RecordedTalk {
  readonly agent: string
  readonly said: readonly Said[]
  /** More was said than is kept. */
  readonly cut: boolean
}

/** Exchanges of which something is kept at once, and bytes of bodies among them: what comes beyond is not recorded. */
const mostOpen = 2_000
const mostBytes = 32 * 1024 * 1024
/** Events of one exchange with one agent: of a body without end the beginning is kept. */
const mostEvents = 200

/** Keeps what is said to agents until the exchange is over. While nobody records there is none. */
export class Recorder implements AgentTap {
  /** By the id of the request. */
  readonly #open = new Map<string, Talks>()
  #bytes = 0
  /** The most that somebody wants of one body. */
  maxBodyBytes = 0
  /** Exchanges of which nothing was kept, because there were too many at once. */
  lost = 0

  begin (agent: string): TalkTap {
    return new TalkRecord(agent, this)
  }

  /** The exchange is over: gives what was said about it once all of that was said, and forgets it. Nothing when no agent was asked. */
  finish (id: string, take: (talks: readonly RecordedTalk[]) => void): void {
    const talks = this.#open.get(id)
    if (talks === undefined) return
    talks.taken = () => {
      if (this.#open.get(id) === talks) this.#open.delete(id)
      for (const talk of talks.all) this.#bytes -= talk.keptBytes
      take(talks.all)
    }
    talks.look()
  }

  /** Where a talk about this request is kept; `undefined` when there is no room. */
  join (id: string, talk: TalkRecord): Talks | undefined {
    let talks = this.#open.get(id)
    if (talks === undefined) {
      if (this.#open.size >= mostOpen) {
        this.lost++
        return undefined
      }
      this.#open.set(id, talks = new Talks())
    }
    talks.all.push(talk)
    talks.speaking++
    return talks
  }

  /** The part of a body that is kept: a copy, as the bytes are not ours to keep. */
  keep (data: Buffer): Buffer {
    const length = Math.min(data.length, this.maxBodyBytes)
    if (length === 0 || this.#bytes + length > mostBytes) return nothing
    this.#bytes += length
    return Buffer.from(data.subarray(0, length))
  }
}

const nothing = Buffer.alloc(0)

class Talks {
  readonly all: TalkRecord[] = []
  speaking = 0
  taken: (() => void) | undefined = undefined

  look (): void {
    if (this.speaking > 0) return
    const { taken } = this
    this.taken = undefined
    taken?.()
  }
}

class TalkRecord implements TalkTap, RecordedTalk {
  readonly agent: string
  said: Said[] = []
  cut = false
  keptBytes = 0
  readonly #recorder: Recorder
  #talks: Talks | undefined
  #begun = false

  constructor (agent: string, recorder: Recorder) {
    this.agent = agent
    this.#recorder = recorder
  }

  asked (event: Event): void {
    if (event.kind === 'request_headers' && !this.#begun) {
      this.#begun = true
      this.#talks = this.#recorder.join(event.value.requestId, this)
    }
    if (this.#talks === undefined || event.kind === 'complete' || event.kind === 'cancel' || event.kind === 'credit') return
    if (this.said.length >= mostEvents) {
      this.cut = true
      return
    }
    const { kept, dataBytes } = this.#kept(event)
    this.said.push({ event: kept, dataBytes, reply: undefined, fault: undefined, sinceMs: performance.now(), ms: 0 })
  }

  answered (reply: Reply): void {
    if (reply.kind === 'more_time' || reply.kind === 'credit') return
    const said = this.#at(reply.sequence)
    if (said === undefined) return
    said.reply = reply
    said.ms = performance.now() - said.sinceMs
  }

  failed (sequence: number, fault: Fault): void {
    const said = this.#at(sequence)
    if (said === undefined || said.reply !== undefined) return
    said.fault = fault
    said.ms = performance.now() - said.sinceMs
  }

  again (): void {
    this.said = []
  }

  over (): void {
    const talks = this.#talks
    if (talks === undefined) return
    this.#talks = undefined
    talks.speaking--
    talks.look()
  }

  #at (sequence: number): Said | undefined {
    return this.said.findLast(({ event }) => event.sequence === sequence)
  }

  #kept (event: Event): { readonly kept: Event, readonly dataBytes: number } {
    const data = dataOf(event)
    if (data === undefined) return { kept: event, dataBytes: 0 }
    const copy = this.#recorder.keep(data)
    this.keptBytes += copy.length
    return { kept: withData(event, copy), dataBytes: data.length }
  }
}

function dataOf (event: EventOneOf): Buffer | undefined {
  switch (event.kind) {
    case 'request_body':
    case 'response_body':
    case 'websocket_message': return event.value.data
    case 'tool_call': return event.value.argumentsJson
    case 'tool_result': return event.value.resultJson
    default: return undefined
  }
}

function withData (event: Event, data: Buffer): Event {
  switch (event.kind) {
    case 'request_body':
    case 'response_body': return { ...event, value: { ...event.value, data } }
    case 'websocket_message': return { ...event, value: { ...event.value, data } }
    case 'tool_call': return { ...event, value: { ...event.value, argumentsJson: data } }
    case 'tool_result': return { ...event, value: { ...event.value, resultJson: data } }
    default: return event
  }
}
