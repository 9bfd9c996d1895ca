/** What has to be true of the bytes that leave the proxy, whatever came in. Each gives what is wrong, or nothing. */
import type { Message } from './http1-messages.ts'
import { answersByLlhttp, parsedByLlhttp, type Leniency, type ParsedAnswer } from './llhttp.ts'
import { otherReaders, seenBy } from './other-readers.ts'
import type { Passage, Sent } from './wire-path.ts'

const leniencies: readonly Leniency[] = ['strict', 'lenient']
const octets = (text: string): Buffer => Buffer.from(text, 'latin1')

/** llhttp knows a list of methods, and refuses the others. */
const known = /^(?:GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH)$/

/** With a method that llhttp knows. */
function forLlhttp ({ bytes, method }: Sent): string {
  return known.test(method) ? bytes : `PATCH${bytes.slice(method.length)}`
}

const bodies = new WeakMap<Sent, string>()

/** The body of a request, taken out of the framing that the proxy wrote. Every reader is held against it. */
function bodyOf (request: Sent): string {
  let body = bodies.get(request)
  if (body === undefined) bodies.set(request, body = parsedByLlhttp(octets(forLlhttp(request))).messages[0]?.body ?? '')
  return body
}

/** What was sent to the target is the same requests for everybody, and what was broken off is a whole one for nobody. */
export function wrongWithSent ({ sent }: Passage): string | undefined {
  const whole = sent.filter(({ complete }) => complete)
  return wrongForLlhttp(whole) ?? wrongForOthers(whole) ?? wrongWithBroken(sent.filter(({ complete }) => !complete))
}

function wrongForLlhttp (whole: readonly Sent[]): string | undefined {
  const stream = octets(whole.map(forLlhttp).join(''))
  for (const leniency of leniencies) {
    const { messages, refused } = parsedByLlhttp(stream, leniency)
    if (messages.length !== whole.length) return `${whole.length} requests were sent, llhttp (${leniency}) sees ${messages.length}`
    if (refused) return `llhttp (${leniency}) refuses what was sent`
    for (const [index, { method, target, fields }] of whole.entries()) {
      const message = messages[index]!
      if (known.test(method) && message.method !== method || message.target !== target) return `sent ${method} ${target}, llhttp (${leniency}) sees ${message.method} ${message.target}`
      if (!message.fields.join('\n').includes(fields.join('\n'))) return `sent ${JSON.stringify(fields)}, llhttp (${leniency}) sees ${JSON.stringify(message.fields)}`
    }
  }
  return undefined
}

function wrongForOthers (whole: readonly Sent[]): string | undefined {
  const stream = whole.map(({ bytes }) => bytes).join('')
  for (const habits of otherReaders) {
    const seen = seenBy(habits, stream)
    if (seen.length !== whole.length) return `${whole.length} requests were sent, who ${habits.name} sees ${seen.length}`
    for (const [index, request] of whole.entries()) {
      const { method, target, body } = seen[index]!
      if (method !== request.method || target !== request.target || body !== bodyOf(request)) return `request ${index} is another one for who ${habits.name}: ${JSON.stringify(seen[index])}`
    }
  }
  return undefined
}

function wrongWithBroken (broken: readonly Sent[]): string | undefined {
  for (const request of broken) {
    const counts = [
      ...leniencies.map((leniency) => parsedByLlhttp(octets(forLlhttp(request)), leniency).messages.length),
      ...otherReaders.map((habits) => seenBy(habits, request.bytes).length),
    ]
    if (counts.some((count) => count > 0)) return 'a request that was broken off is a whole one for somebody'
    if (request.reusable) return 'a connection with half a request on it is used again'
  }
  return undefined
}

/** What was sent is, in its order, among what llhttp reads in the bytes of the client. */
export function wrongWithReading (bytes: Buffer, { sent }: Passage): string | undefined {
  for (const leniency of leniencies) {
    const { messages } = parsedByLlhttp(bytes, leniency)
    let at = 0
    for (const request of sent) {
      if (!request.complete) break
      if (!known.test(request.method)) return undefined
      // What was answered without asking the target is not among those that were sent.
      const index = messages.findIndex((message, from) => from >= at && isSame(message, request))
      if (index === -1) return `sent ${request.method} ${request.target}, which llhttp (${leniency}) does not see in what came`
      at = index + 1
    }
  }
  return undefined
}

function isSame (message: Message, request: Sent): boolean {
  return message.method === request.method && message.body === bodyOf(request)
}

const isFinal = ({ status }: ParsedAnswer): boolean => status >= 200

/**
 * The client got one answer for its request at most, the same for everybody: what llhttp reads in the bytes of the target, or a refusal; and the
 * target's connection is used again only when there was nothing but that answer on it.
 */
export function wrongWithAnswer (answer: Buffer, method: string, { answered, sent, reset }: Passage): string | undefined {
  for (const leniency of leniencies) {
    const came = answersByLlhttp(answer, method, leniency)
    const got = answersByLlhttp(octets(answered), method, leniency)
    const finals = got.answers.filter(isFinal)
    if (finals.length > 1) return `the client got ${finals.length} answers, for llhttp (${leniency})`
    const first = came.answers.find(isFinal)
    const [only] = finals
    if (only !== undefined && !reset && !isRefusal(only) && (only.status !== first?.status || only.body !== first.body)) {
      return `the client got ${JSON.stringify(only)}, llhttp (${leniency}) reads ${JSON.stringify(first)}`
    }
    if (sent[0]?.reusable === true && (came.refused || came.answers.filter(isFinal).length !== 1)) return `a connection is used again, on which llhttp (${leniency}) sees ${JSON.stringify(came)}`
  }
  return undefined
}

/** Nobody waits for a target that has ended its side. */
export function wrongWithWaiting ({ answered, closed }: Passage): string | undefined {
  return !closed && !/HTTP\/1\.1 [2-9]/.test(answered) ? 'the client waits for an answer on an open connection' : undefined
}

function isRefusal ({ status, body }: ParsedAnswer): boolean {
  return status === 502 && (body === '' || body.includes('"server":"sentinel"'))
}
