import type { Http2Session, ServerHttp2Stream } from 'node:http2'
import type { TestContext } from 'node:test'
import { decodeToAgent, encodeFromAgent, frame, FrameDecoder, type DescribeResponse, type Event, type ReplyOneOf } from '../../proto/codec/index.ts'
import { allow, everything, rawAgent, type RawAgent, type Script } from './raw-agent.ts'

/** One stream of an agent without SDK. */
export interface Talk {
  /** Numbers of exchanges that are open. */
  readonly open: Set<number>
  say (event: Pick<Event, 'exchange' | 'sequence'>, reply: ReplyOneOf): void
  /** As often as it is called, in one message. */
  end (status: number): void
}

/** What an agent does otherwise than it should. */
export interface Manners extends Script {
  /** In place of the proper answer; calls `properly` for what it does not want to spoil. */
  answer?: (event: Event, talk: Talk, properly: () => void) => void
  /** Of one message, before it is read. True: it is dropped. */
  onBytes?: (bytes: Buffer, talk: Talk) => boolean
  /** The proxy has closed its side. */
  onHalfClosed?: (talk: Talk) => void
  onBroken?: () => void
  onGarbage?: () => void
  /** Whether a new stream is served. */
  serves?: () => boolean
}

/** For `describe`: request bodies in pieces. */
export const flowing: DescribeResponse = { ...everything, name: 'flowing', protocolVersion: 1, requestBody: { kind: 'stream', maxBytes: 0, over: 'block' } }

export const wrong = (code: string): ReplyOneOf => ({ kind: 'error', value: { code, message: code, retryable: false } })

/** An agent on bare HTTP/2 that does what the protocol asks for, but for what `manners` spoil. */
export function wellMannered (t: TestContext, manners: Manners = {}): Promise<RawAgent> {
  return rawAgent(t, {
    describe: ({ protocolVersions }) => ({ ...everything, protocolVersion: protocolVersions.includes(1) ? 1 : 0 }),
    configure: ({ configJson }) => {
      try {
        JSON.parse(configJson.toString())
        return { accepted: true, problems: [] }
      } catch {
        return { accepted: false, problems: [{ path: [], message: 'it is not JSON', hint: '' }] }
      }
    },
    check: () => 'serving',
    onProcess: (stream, session) => serve(stream, session, manners),
    ...manners,
  })
}

function serve (stream: ServerHttp2Stream, _session: Http2Session, manners: Manners): void {
  if (manners.serves?.() === false) return stream.close()
  const frames = new FrameDecoder(64 * 1024 * 1024)
  let status = 0
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': String(status) }))
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
  const talk: Talk = {
    open: new Set(),
    say: ({ exchange, sequence }, reply) => { if (!stream.writableEnded) stream.write(frame(encodeFromAgent({ replies: [{ exchange, sequence, ...reply }] }))) },
    end (code) {
      status = code
      stream.end()
    },
  }
  stream.on('data', (data: Buffer) => {
    try {
      for (const message of frames.push(data)) take(Buffer.from(message), talk, manners)
    } catch {
      manners.onGarbage?.()
      talk.end(3)
    }
  })
  stream.on('end', () => manners.onHalfClosed === undefined ? talk.end(0) : manners.onHalfClosed(talk))
  stream.on('aborted', () => manners.onBroken?.())
}

function take (bytes: Buffer, talk: Talk, manners: Manners): void {
  if (manners.onBytes?.(bytes, talk) === true) return
  for (const event of decodeToAgent(bytes).events) {
    const properly = (): void => answerTo(event, talk)
    if (manners.answer === undefined) properly()
    else manners.answer(event, talk, properly)
  }
}

function answerTo (event: Event, talk: Talk): void {
  const known = talk.open.has(event.exchange)
  if (event.kind === 'request_headers') talk.open.add(event.exchange)
  if (event.kind === 'complete') talk.open.delete(event.exchange)
  if (event.timeoutMs === 0) return
  if (event.kind === undefined) talk.say(event, wrong('unknown_event'))
  else if (!known && event.kind !== 'request_headers') talk.say(event, wrong('unknown_exchange'))
  else talk.say(event, allow)
}
