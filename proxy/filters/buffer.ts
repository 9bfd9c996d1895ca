import { bodyOf, type Body } from '../pipeline/body.ts'
import { isEndless } from '../pipeline/endless.ts'
import type { Exchange, Filter } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'

/** Memory for the bodies of all exchanges together. */
export interface Room {
  used: number
}

export interface BufferSettings {
  readonly requests: boolean
  readonly responses: boolean
  /** Of one body; Infinity: only that of all counts. */
  readonly maxBytes: number
  readonly maxBytesOfAll: number
  readonly room: Room
}

/** Holds whole bodies, so that a slow client keeps no upstream waiting and half an answer is none. Streams of events, or of lines of JSON, go on as they come. */
export function bufferFilter ({ requests, responses, maxBytes, maxBytesOfAll, room }: BufferSettings): Filter {
  const held = new WeakMap<Exchange, number>()

  async function taken (x: Exchange, body: Body, tooLarge: 'BODY_TOO_LARGE' | 'ANSWER_TOO_LARGE'): Promise<Body> {
    const refuse = (code: 'BODY_TOO_LARGE' | 'ANSWER_TOO_LARGE' | 'OVERLOADED'): never => {
      body.cancel()
      throw new Fault(code)
    }
    if ((body.length ?? 0) > maxBytes) refuse(tooLarge)
    const chunks: Buffer[] = []
    let bytes = 0
    for (;;) {
      const chunk = await body.read()
      if (chunk === undefined) return bodyOf(Buffer.concat(chunks), body.trailers)
      if ((bytes += chunk.length) > maxBytes) refuse(tooLarge)
      if (room.used + chunk.length > maxBytesOfAll) refuse('OVERLOADED')
      room.used += chunk.length
      held.set(x, (held.get(x) ?? 0) + chunk.length)
      chunks.push(chunk)
    }
  }

  return {
    name: 'buffer',
    ...!requests ? {} : {
      async onRequest (x) {
        if (x.requestBody !== undefined) x.requestBody = await taken(x, x.requestBody, 'BODY_TOO_LARGE')
        return undefined
      },
    },
    ...!responses ? {} : {
      async onResponse (x, reply) {
        if (reply.body === undefined || reply.status === 101 || isEndless(reply.headers.get('content-type'), reply.body.length)) return undefined
        return { ...reply, body: await taken(x, reply.body, 'ANSWER_TOO_LARGE') }
      },
    },
    onDone (x) {
      room.used -= held.get(x) ?? 0
      held.delete(x)
    },
  }
}
