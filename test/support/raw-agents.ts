import type { TestContext } from 'node:test'
import type { Event, ReplyOneOf } from '../../proto/codec/index.ts'
import { allow, rawAgent, type RawAgent, type Script } from './raw-agent.ts'
import { startRecordingUpstream, type RecordingUpstream } from './recording-upstream.ts'
import { patient, siteWith } from './scripted-agent.ts'
import { startSentinel, type RunningSentinel } from './sentinel.ts'

export interface RawMember {
  /** What it says to an event that awaits an answer; allows it when that is `undefined`, and says nothing when it is `false`. */
  readonly answer?: (event: Event) => ReplyOneOf | undefined | false | Promise<ReplyOneOf | undefined | false>
  readonly describe?: Script['describe']
  /** What it asks for before it answers. */
  readonly moreTimeMs?: number
  /** More lines of the agent block. */
  readonly settings?: string
}

export interface RawSite {
  readonly sentinel: RunningSentinel
  readonly upstream: RecordingUpstream
  /** By their names, in the given order. */
  readonly agents: Readonly<Record<string, RawAgent>>
}

export interface RawSiteGiven {
  /** Settings of the route, and further blocks of the file. */
  readonly route?: string
  readonly more?: string
  readonly filters?: readonly string[]
  readonly upstream?: RecordingUpstream
  /** Files beside the configuration. */
  readonly files?: Readonly<Record<string, string>>
}

/** A whole proxy before a recording upstream, whose agents are played by the test: what they are sent is all there to look at. */
export async function startWithRawAgents<N extends string> (
  t: TestContext, members: Readonly<Record<N, RawMember>>, given: RawSiteGiven = {},
): Promise<RawSite & { readonly agents: Readonly<Record<N, RawAgent>> }> {
  const upstream = given.upstream ?? await startRecordingUpstream(t)
  const agents: Partial<Record<N, RawAgent>> = {}
  let blocks = ''
  for (const [name, { answer, describe, moreTimeMs, settings = '' }] of Object.entries(members) as Array<[N, RawMember]>) {
    const agent = agents[name] = await rawAgent(t, {
      ...describe === undefined ? {} : { describe },
      async onEvent (event, wire) {
        if (event.timeoutMs === 0) return
        if (moreTimeMs !== undefined) wire.reply(event, { kind: 'more_time', value: { timeoutMs: moreTimeMs } })
        const said = await answer?.(event)
        if (said !== false && !wire.stream.destroyed) wire.reply(event, said ?? allow)
      },
    })
    blocks += `agent ${JSON.stringify(name)} { unix-socket ${JSON.stringify(agent.path)}; managed #false; ${patient(settings)} }\n`
  }
  const sentinel = await startSentinel(t, siteWith(upstream.port, blocks, given.filters ?? [], given.more ?? '', given.route ?? ''), { files: given.files ?? {} })
  for (const name of Object.keys(members)) await sentinel.logged(({ event, agent }) => event === 'agent-ready' && agent === name)
  return { sentinel, upstream, agents: agents as Record<N, RawAgent> } // Each was set above.
}

/** Opens when as many have come: whoever waits for others that are asked only after it waits for ever. */
export function meeting (size: number): () => Promise<void> {
  let come = 0
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => { open = resolve })
  return () => {
    if (++come >= size) open()
    return opened
  }
}
