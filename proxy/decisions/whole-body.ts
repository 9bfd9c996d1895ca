import { bodyAfter, bodyOf, gather, type Body, type Gathered } from '../pipeline/body.ts'
import { Fault, type FaultCode } from '../pipeline/faults.ts'
import type { HeaderList } from '../pipeline/headers.ts'
import { failureRecord, type Consultation } from './consultation.ts'
import { stages, type Ruling, type Stage } from './decide.ts'
import { forgetOldBody } from './edits.ts'
import type { BodyPlan } from './plan.ts'

/** What differs between the two directions. */
interface Direction {
  readonly event: 'request_body' | 'response_body'
  readonly whole: Stage
  readonly prefix: Stage
  readonly tooLarge: FaultCode
}

export const wholeRequest: Direction = { event: 'request_body', whole: stages.wholeRequestBody, prefix: stages.requestPrefix, tooLarge: 'AGENT_BODY_TOO_LARGE' }
export const wholeResponse: Direction = { event: 'response_body', whole: stages.wholeResponseBody, prefix: stages.responsePrefix, tooLarge: 'AGENT_ANSWER_TOO_LARGE' }

export interface Inspected {
  /** The body to go on with: the same bytes, or the agent's. */
  readonly body: Body
  readonly ruling: Ruling | undefined
}

/** Shows a body as a whole. Nothing of it goes on before the verdict; the proxy keeps it, so failing open stays possible. */
export async function inspectWhole (c: Consultation, body: Body, headers: HeaderList, plan: BodyPlan, way: Direction): Promise<Inspected> {
  const { maxBytes } = plan
  if (plan.over !== 'prefix' && body.length !== undefined && body.length > maxBytes) {
    refuseOversize(c, body, plan, way)
    return { body, ruling: undefined }
  }
  const gathered = await gather(body, maxBytes)
  if (!gathered.complete) return inspectPrefix(c, body, gathered, plan, way)
  const data = joined(gathered)
  const ruling = await c.ask({ kind: way.event, value: { data, end: true, truncated: false } }, way.whole)
  if (ruling?.replaceBody === undefined) return { body: bodyOf(data, body.trailers), ruling }
  forgetOldBody(headers)
  // A view into the message it came in, which is let go with it.
  return { body: bodyOf(ruling.replaceBody, body.trailers), ruling }
}

async function inspectPrefix (c: Consultation, body: Body, gathered: Gathered, plan: BodyPlan, way: Direction): Promise<Inspected> {
  const whole = bodyAfter(gathered.chunks, body)
  if (plan.over !== 'prefix') {
    refuseOversize(c, body, plan, way)
    return { body: whole, ruling: undefined }
  }
  const data = joined(gathered).subarray(0, plan.maxBytes)
  return { body: whole, ruling: await c.ask({ kind: way.event, value: { data, end: true, truncated: true } }, way.prefix) }
}

/** What is over the limit is not shown. `block` is the operator's word about the client, not a failure: no failure mode softens it. */
function refuseOversize (c: Consultation, body: Body, { maxBytes, over }: BodyPlan, way: Direction): void {
  const fault = new Fault(way.tooLarge, `more than ${maxBytes} bytes for ${c.settings.agentId}`)
  const refuse = over === 'block' && c.enforces
  c.record(failureRecord(c.settings, way.whole, fault, refuse ? 'closed' : 'open', performance.now(), c.talk.configVersion))
  if (!refuse) return
  c.over = true
  body.cancel(fault)
  throw fault
}

function joined ({ chunks, bytes }: Gathered): Buffer {
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, bytes)
}
