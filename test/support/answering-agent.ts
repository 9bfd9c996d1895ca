import type { TestContext } from 'node:test'
import type { ChunkAnswerOneOf, Event, ReplyOneOf } from '../../proto/codec/index.ts'
import type { AgentClient } from '../../proxy/decisions/index.ts'
import type { Body } from '../../proxy/pipeline/body.ts'
import { ready } from './consulted.ts'
import { allow, decision, everything, rawAgent, type RawAgent, type Script } from './raw-agent.ts'

export const block = decision({ kind: 'block', value: { status: 403, headers: ['X-Why', 'sqli'], body: Buffer.from('no') } })
export const chunk = (answer: ChunkAnswerOneOf): ReplyOneOf => ({ kind: 'chunk', value: answer })
export const pass = chunk({ kind: 'pass', value: {} })
export const wants = { done: false, requestBody: undefined, responseHeaders: false, responseBody: undefined }

/** An agent that answers each event with what `answer` says: nothing where that is `false`. It allows the rest. */
export async function answering (
  t: TestContext, answer: (event: Event) => ReplyOneOf | undefined | false, describe: Script['describe'] = everything,
): Promise<{ agent: RawAgent, client: AgentClient }> {
  const onEvent: Script['onEvent'] = (event, wire) => {
    const said = event.timeoutMs > 0 && answer(event)
    if (said !== false) wire.reply(event, said ?? allow)
  }
  const agent = await rawAgent(t, { describe, onEvent })
  return { agent, client: await ready(t, agent.path) }
}

export const streaming = { ...everything, events: ['request_headers', 'request_body', 'complete'] as const, requestBody: { kind: 'stream' as const, maxBytes: 0, over: 'block' as const } }
export const streamingResponse = { ...everything, events: ['response_headers', 'response_body', 'complete'] as const, responseBody: { kind: 'stream' as const, maxBytes: 0, over: 'block' as const } }

/** A body whose chunks come when the test says so. */
export function slowBody (): { readonly body: Body, send (chunk: Buffer | undefined): void } {
  const chunks: Array<Buffer | undefined> = []
  let wake = (): void => {}
  const body: Body = {
    length: undefined,
    trailers: undefined,
    async read () {
      while (chunks.length === 0) await new Promise<void>((resolve) => { wake = resolve })
      return chunks.shift()
    },
    cancel () {},
  }
  return { body, send (chunk) { chunks.push(chunk); wake() } }
}
