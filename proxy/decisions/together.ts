import type { DecisionRecord, Reply } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'
import type { Consultation, Heard } from './consultation.ts'
import type { Ruling, Stage } from './decide.ts'

/** One of several questions that were put at the same time, in the order of the file. */
export type Asked =
  | { readonly c: Consultation, readonly stage: Stage, readonly heard: Promise<Heard> }
  /** The agent cannot be asked; the failure mode is in the record. */
  | { readonly absent: Fault, readonly record: DecisionRecord }
  /** The body is longer than the agent may see, which the operator takes for a reason to refuse it. */
  | { readonly c: Consultation, readonly tooLarge: Fault, readonly record: DecisionRecord }

export interface Outcome {
  /** The answer of the agent that had its way; `undefined`: all let it go on. */
  readonly reply: Reply | undefined
  /** The body of the first agent that put another one in its place. */
  readonly replaceBody: Buffer | undefined
}

/**
 * Waits for the answers and settles them: the first in file order that does not allow decides, however late it comes, and those that cannot
 * decide any more are told so at once. When all allow, what they attached is applied in file order. Throws the fault that stops the exchange.
 */
export async function settleTogether (asked: readonly Asked[], record: (record: DecisionRecord) => void): Promise<Outcome> {
  const stopping = asked.map(stopsWith)
  let first = asked.length
  stopping.forEach((one, i) => void one.then((stop) => {
    if (!stop || i >= first) return
    first = i
    for (const [at, other] of asked.entries()) if ('c' in other && at !== i && (at > i || !other.c.enforces)) other.c.withdraw()
  }))
  for (const [i, one] of stopping.entries()) {
    if (!await one) continue
    await setAside(asked.filter((_, at) => at !== i), record)
    const reply = await conclude(asked[i]!, record, undefined) // The two lists are of one length.
    return { reply: reply?.reply, replaceBody: undefined }
  }
  return applyAll(asked, record)
}

/** Whether what comes of it stops the exchange, unless somebody before it does. */
export async function stopsWith (one: Asked): Promise<boolean> {
  return 'heard' in one ? stops(one, await one.heard) : stopsByItself(one)
}

function stops ({ c, stage }: Extract<Asked, { readonly heard: unknown }>, { ruling }: Heard): boolean {
  if (ruling === undefined) return c.stoppedBy(stage)
  return c.enforces && ruling.reply !== undefined
}

function stopsByItself (one: Exclude<Asked, { readonly heard: unknown }>): boolean {
  return 'tooLarge' in one || one.record.failureMode === 'closed'
}

/** Nobody stops the exchange, unless what two of them want excludes each other. */
async function applyAll (asked: readonly Asked[], record: (record: DecisionRecord) => void): Promise<Outcome> {
  const taken = new Taken()
  for (const [i, one] of asked.entries()) {
    try {
      await conclude(one, record, taken)
    } catch (error) {
      await setAside(asked.slice(i + 1), record)
      throw error
    }
  }
  return { reply: undefined, replaceBody: taken.body }
}

/** Records what an agent said and applies it. Throws when it stops the exchange. */
async function conclude (one: Asked, record: (record: DecisionRecord) => void, taken: Taken | undefined): Promise<Ruling | undefined> {
  if (!('heard' in one)) {
    record(one.record)
    if (!stopsByItself(one)) return undefined
    throw 'tooLarge' in one ? one.tooLarge : one.absent
  }
  const { c, stage } = one
  const { ruling, error, startMs, endMs } = await one.heard
  if (ruling === undefined) return c.fail(error, stage, startMs)
  try {
    if (c.enforces) taken?.check(ruling, c.settings.agentId)
    const applied = c.adopt(ruling, stage, startMs, endMs)
    if (applied !== undefined) taken?.take(applied, c.settings.agentId)
    return applied
  } catch (conflict) {
    return c.fail(conflict, stage, startMs)
  }
}

/** Of those that had been heard, what they said; of the others, that they were told to stop. */
async function setAside (others: readonly Asked[], record: (record: DecisionRecord) => void): Promise<void> {
  for (const one of others) {
    if ('heard' in one) {
      one.c.withdraw()
      one.c.setAside(await one.heard, one.stage)
    } else if (!stopsByItself(one)) {
      record(one.record)
    }
  }
}

/** Changes of which an exchange takes one, and whose they are. */
class Taken {
  body: Buffer | undefined = undefined
  readonly #by = new Map<string, { readonly agent: string, readonly value: string | Buffer }>()

  /** Throws AGENT_CONFLICT: what one agent wants cannot be had beside what another one before it did. The same twice is no conflict. */
  check (ruling: Ruling, agent: string): void {
    for (const [what, value] of wantsOf(ruling)) {
      const before = this.#by.get(what)
      if (before === undefined || isSame(before.value, value)) continue
      throw new Fault('AGENT_CONFLICT', `${agent} wants another ${what} than ${before.agent}, which was asked at the same time: name them one after the other`)
    }
  }

  take (ruling: Ruling, agent: string): void {
    for (const [what, value] of wantsOf(ruling)) if (!this.#by.has(what)) this.#by.set(what, { agent, value })
    this.body ??= ruling.replaceBody
  }
}

function wantsOf ({ replaceBody: body, rewritePath: path, rewriteQuery: query, upstream }: Ruling): Array<[what: string, value: string | Buffer]> {
  return Object.entries({ body, path, query, upstream: upstream === '' ? undefined : upstream })
    .flatMap(([what, value]) => value === undefined ? [] : [[what, value]])
}

function isSame (a: string | Buffer, b: string | Buffer): boolean {
  return typeof a === 'string' || typeof b === 'string' ? a === b : a.equals(b)
}
