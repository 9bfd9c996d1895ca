import type { BodyMode, EventOneOf, Reply } from '../../../proto/codec/index.ts'
import { isGoingOn } from '../by-hand/call.ts'
import { chunk, numbered, requestHead, responseHead } from '../by-hand/events.ts'
import { stages, type Stage } from '../decide.ts'
import { Bench } from './bench.ts'
import { Broken, NotApplicable, type Check } from './check.ts'

interface Side {
  readonly body: 'request_body' | 'response_body'
  readonly whole: Stage
  readonly prefix: Stage
  readonly piece: Stage
}

const sides: readonly Side[] = [
  { body: 'request_body', whole: stages.wholeRequestBody, prefix: stages.requestPrefix, piece: stages.requestChunk },
  { body: 'response_body', whole: stages.wholeResponseBody, prefix: stages.responsePrefix, piece: stages.responseChunk },
]

export const bodyChecks: readonly Check[] = [
  {
    id: 'body-whole',
    rule: 'A body that is shown whole gets one decision, also when it comes in several pieces of which only the last is a question, and when it is empty.',
    run: (subject) => Bench.use(subject, async (bench) => {
      for (const side of shown(bench, 'buffer')) {
        for (const [i, pieces] of [['a=b'], ['a=', 'b&c=', 'd'], ['']].entries()) {
          const exchange = nextExchange(side, i)
          let sequence = await toBody(bench, side, exchange, Buffer.from(pieces.join('')), 'buffer')
          for (const [at, piece] of pieces.entries()) {
            const last = at === pieces.length - 1
            bench.send(numbered(exchange, ++sequence, last ? bench.subject.timeoutMs : 0, chunk(side.body, Buffer.from(piece), last)))
          }
          const reply = await bench.decided(exchange, sequence, side.whole)
          if (reply.kind !== 'decision') throw new Broken(`it answers a whole body with ${String(reply.kind)} and not with a decision`)
          bench.end(exchange, sequence + 1)
        }
      }
      await bench.quiet()
    }),
  },
  {
    id: 'body-beginning',
    rule: 'The beginning of a body that is too long (truncated) gets a decision, which does not replace it.',
    run: (subject) => Bench.use(subject, async (bench) => {
      for (const side of shown(bench, 'buffer')) {
        const exchange = nextExchange(side, 0)
        const sequence = await toBody(bench, side, exchange, Buffer.alloc(100_000, 'a'), 'buffer') + 1
        const event: EventOneOf = { kind: side.body, value: { data: Buffer.alloc(1_000, 'a'), end: true, truncated: true } }
        bench.send(numbered(exchange, sequence, subject.timeoutMs, event))
        await bench.decided(exchange, sequence, side.prefix)
      }
      await bench.quiet()
    }),
  },
  {
    id: 'body-pieces',
    rule: 'Where a body flows, each piece gets its own answer, in order, with several under way, and its end is not held back.',
    run: (subject) => Bench.use(subject, async (bench) => {
      for (const side of shown(bench, 'stream')) {
        const exchange = nextExchange(side, 0)
        const pieces = ['{"a":', '"', 'b', '"', '}']
        const first = await toBody(bench, side, exchange, Buffer.from(pieces.join('')), 'stream') + 1
        sendPieces(bench, side, exchange, first, pieces.map((piece) => Buffer.from(piece)))
        await flow(bench, side, exchange, first, pieces.length)
      }
      await bench.quiet()
    }),
  },
  {
    id: 'credit',
    rule: 'Credit widens what may be unanswered and is itself not answered; large bodies flow on.',
    run: (subject) => Bench.use(subject, async (bench) => {
      for (const side of shown(bench, 'stream')) {
        const exchange = nextExchange(side, 0)
        const pieces = Array.from({ length: 16 }, () => Buffer.alloc(64 * 1024, 'x'))
        let sequence = await toBody(bench, side, exchange, Buffer.concat(pieces), 'stream')
        bench.send(numbered(exchange, ++sequence, 0, { kind: 'credit', value: { bytes: 1024 * 1024 } }))
        const first = sequence + 1
        sendPieces(bench, side, exchange, first, pieces)
        await flow(bench, side, exchange, first, pieces.length)
      }
      await bench.quiet()
    }),
  },
]

/** The sides whose body this agent is shown in this way. */
function shown (bench: Bench, kind: 'buffer' | 'stream'): Side[] {
  const { describe } = bench.subject
  const modes: Readonly<Record<Side['body'], BodyMode | undefined>> = { request_body: describe.requestBody, response_body: describe.responseBody }
  const found = sides.filter(({ body }) => bench.wants(body) && (modes[body]?.kind === 'stream' ? 'stream' : 'buffer') === kind)
  if (found.length > 0) return found
  throw new NotApplicable(kind === 'stream' ? 'it does not want bodies in pieces' : 'it does not want whole bodies')
}

function nextExchange ({ body }: Side, i: number): number {
  return (body === 'request_body' ? 0 : 100) + i + 1
}

/** Brings an exchange to the point where the body comes; gives the number of its last event. */
async function toBody (bench: Bench, side: Side, exchange: number, body: Buffer, kind: 'buffer' | 'stream'): Promise<number> {
  const { timeoutMs } = bench.subject
  const mode: BodyMode = { kind, maxBytes: 1024 * 1024, over: 'prefix' }
  const ofRequest = side.body === 'request_body'
  const made = { method: 'POST', target: '/conformance', headers: ['host', 'agent.test', 'content-type', 'text/plain'] }
  let sequence = 1
  const asked = bench.wants('request_headers')
  const request = ofRequest ? requestHead({ ...made, body }, { hasBody: true, bodyMode: mode }) : requestHead(made)
  bench.send(numbered(exchange, 1, asked ? timeoutMs : 0, request))
  if (asked) goesOn(await bench.decided(exchange, 1, stages.requestHeaders))
  if (ofRequest) return sequence
  const head = responseHead(200, ['content-type', 'text/plain'], body)
  bench.send(numbered(exchange, ++sequence, bench.wants('response_headers') ? timeoutMs : 0, { ...head, value: { ...head.value, hasBody: true, bodyMode: mode } }))
  if (bench.wants('response_headers')) goesOn(await bench.decided(exchange, sequence, stages.responseHeaders))
  return sequence
}

function goesOn (reply: Reply): void {
  if (!isGoingOn(reply)) throw new NotApplicable('its answer to a harmless head ends the exchange')
  const { wants } = reply.kind === 'decision' ? reply.value : {}
  if (wants?.done === true || wants?.requestBody?.kind === 'none' || wants?.responseBody?.kind === 'none') throw new NotApplicable('it does not want the body of a harmless exchange')
}

function sendPieces (bench: Bench, { body }: Side, exchange: number, first: number, pieces: readonly Buffer[]): void {
  const last = pieces.length - 1
  for (const [i, piece] of pieces.entries()) bench.send(numbered(exchange, first + i, bench.subject.timeoutMs, chunk(body, piece, i === last)))
}

/** Answers to so many pieces; a decision may end them. */
async function flow (bench: Bench, side: Side, exchange: number, first: number, pieces: number): Promise<void> {
  for (let i = 0; i < pieces; i++) {
    const reply = await bench.decided(exchange, first + i, side.piece)
    if (!isGoingOn(reply)) return
    const last = i === pieces - 1
    if (last && reply.kind === 'chunk' && reply.value.kind === 'hold') throw new Broken('it holds back the end of a body')
  }
  bench.end(exchange, first + pieces)
}
