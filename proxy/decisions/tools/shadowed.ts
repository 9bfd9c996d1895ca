import { bodyOf } from '../../pipeline/body.ts'
import type { HeaderList } from '../../pipeline/headers.ts'
import { isPacked } from '../../pipeline/unpack.ts'
import type { ToolPlan } from '../plan.ts'
import { assemblers, eventJson, readingOfEvent } from './event-reading.ts'
import { joinedReadings, type Found } from './found.ts'
import { Unreadable, type Json } from './json.ts'
import { readLlmRequest } from './llm-request.ts'
import { pendingOf, readMcpRequest, type Pending } from './mcp.ts'
import { readBody, saysEvents } from './readable.ts'
import { EventSplitter } from './server-events.ts'
import { readAnswer } from './whole.ts'

interface FoundInRequest {
  readonly found: readonly Found[]
  readonly pending: Pending
}

/** What a whole copy of a request says of tools, and what it asked for. Rejects when it cannot be judged. */
export async function foundInRequest (data: Buffer, headers: HeaderList, plan: ToolPlan): Promise<FoundInRequest> {
  const { json } = await readBody(bodyOf(data), headers, plan.maxRequestBytes, 'request', () => {})
  if (json === undefined) return { found: [], pending: new Map() }
  const reading = readMcpRequest(json.text, json.root) ?? readLlmRequest(json.text, json.root)
  return { found: plan.answersAlone || reading === undefined ? [] : joinedReadings([reading]).found, pending: pendingOf(json.text, json.root) }
}

/** What a whole copy of an answer says of tools, an event stream as well. Rejects when it cannot be judged. */
export async function foundInAnswer (data: Buffer, headers: HeaderList, plan: ToolPlan, pending: Pending): Promise<readonly Found[]> {
  if (saysEvents(headers)) return foundInStream(data, headers, pending)
  const { json, isEvents } = await readBody(bodyOf(data), headers, plan.maxResponseBytes, 'answer', () => {})
  if (isEvents) return foundInStream(data, headers, pending)
  return json === undefined ? [] : readAnswer(json.text, json.root, pending).found
}

function foundInStream (data: Buffer, headers: HeaderList, pending: Pending): readonly Found[] {
  if (isPacked(headers)) throw new Unreadable('it is a packed event stream')
  const splitter = new EventSplitter()
  const all = assemblers()
  const found: Found[] = []
  const known = new Set<string>()
  const add = (one: Found): void => {
    const key = JSON.stringify([one.kind, one.value])
    if (!known.has(key)) found.push(one)
    known.add(key)
  }
  for (const event of splitter.all(data)) {
    if (event.problem !== undefined) throw new Unreadable(event.problem)
    const text = event.data ?? ''
    const root: Json | undefined = eventJson(text)
    if (root !== undefined) readingOfEvent(text, root, pending).found.forEach(add)
    const passing = { event, text, root: root?.kind === 'object' ? root : undefined, edits: [], dropped: false, behind: [] }
    for (const assembler of all) assembler.see(passing).forEach((call) => add(call.found))
  }
  for (const assembler of all) assembler.end().forEach((call) => add(call.found))
  return found
}
