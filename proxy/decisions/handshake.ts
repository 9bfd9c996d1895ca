import {
  agentService, decodeConfigureResponse, decodeDescribeResponse, encodeConfigureRequest, encodeDescribeRequest, frame, protocolVersions,
  type ConfigProblem, type DescribeResponse, type EventKind,
} from '../../proto/codec/index.ts'
import { Fault } from '../pipeline/faults.ts'
import { badReply, unary } from './grpc-stream.ts'
import type { AgentSession } from './session.ts'
import type { AgentConfiguration, Settings } from './settings.ts'

/** The agent cannot do what the configuration asks of it. Trying again helps only when it was replaced. */
export class Incompatible extends Error {}

/** Who is there and what it wants. Rejects with `Incompatible`, or a `Fault` when there is no usable answer. */
export async function describeAgent (session: AgentSession, settings: Settings): Promise<DescribeResponse> {
  const request = encodeDescribeRequest({ protocolVersions, proxy: 'sentinel', agentId: settings.id })
  const { connectTimeoutMs: timeoutMs, maxMessageBytes } = settings
  const answer = await unary(session, agentService.describe, frame(request), { timeoutMs, maxMessageBytes })
  const description = decoded(() => decodeDescribeResponse(answer))
  if (!protocolVersions.includes(description.protocolVersion)) {
    const theirs = description.protocolVersion === 0 ? 'none of them' : String(description.protocolVersion)
    throw new Incompatible(`the proxy speaks protocol version ${protocolVersions.join(', ')}, the agent ${theirs}`)
  }
  const wrong = eventMismatch(settings.events, description.events)
  if (wrong !== undefined) throw new Incompatible(wrong)
  return description
}

/** Why the two lists do not go together. An agent that would never be asked would look like one that allows everything. */
export function eventMismatch (listed: readonly EventKind[] | undefined, described: readonly EventKind[]): string | undefined {
  const names = (events: readonly EventKind[]): string => events.length === 0 ? 'none' : events.join(', ')
  const missing = listed?.filter((event) => !described.includes(event)) ?? []
  if (missing.length > 0) return `the configuration lists the events ${names(listed!)}; the agent describes ${names(described)}: ${names(missing)} cannot be had`
  if ((listed ?? described).every((event) => event === 'complete' || event === 'unrecognized')) {
    return `the configuration lists the events ${listed === undefined ? 'as described' : names(listed)}; the agent describes ${names(described)}: it would never be asked`
  }
  return undefined
}

/** Problems of the configuration; none when it was accepted. Rejects with a `Fault` when there is no usable answer. */
export async function configureAgent (
  session: AgentSession, { json, version }: AgentConfiguration, validateOnly: boolean, settings: Settings,
): Promise<readonly ConfigProblem[]> {
  const request = encodeConfigureRequest({ configJson: Buffer.from(json), version, validateOnly })
  const { configureTimeoutMs: timeoutMs, maxMessageBytes } = settings
  const answer = await unary(session, agentService.configure, frame(request), { timeoutMs, maxMessageBytes })
  const { accepted, problems } = decoded(() => decodeConfigureResponse(answer))
  if (accepted) return []
  return problems.length > 0 ? problems : [{ path: [], message: 'the agent gave no reason', hint: '' }]
}

function decoded<T> (decode: () => T): T {
  try {
    return decode()
  } catch (error) {
    throw error instanceof Fault ? error : badReply(error instanceof Error ? error.message : String(error))
  }
}
