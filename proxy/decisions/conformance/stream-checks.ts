import { emptyEvent, type Event } from '../../../proto/codec/index.ts'
import { numbered, responseHead, requestHead, chunk } from '../by-hand/events.ts'
import { Bench } from './bench.ts'
import { Broken, NotApplicable, type Check } from './check.ts'
import { eventWith, fieldsOfLater, kindOfLater } from './wire.ts'

export const streamChecks: readonly Check[] = [
  {
    id: 'reply',
    rule: 'Each event with a timeout gets exactly one reply, which repeats its exchange and sequence and can be applied where it is given.',
    run: (subject) => Bench.use(subject, async (bench) => {
      await bench.ask(1)
      await bench.ask(2)
      await bench.quiet()
    }),
  },
  {
    id: 'multiplexed',
    rule: 'Exchanges on one stream do not wait for each other: many in one message, and many in messages of their own, are all answered.',
    run: (subject) => Bench.use(subject, async (bench) => {
      const together = Array.from({ length: 50 }, (_, i) => bench.question(i + 1))
      const apart = Array.from({ length: 50 }, (_, i) => bench.question(i + 51))
      bench.send(...together.flatMap(({ events }) => events))
      for (const { events } of apart) bench.send(...events)
      for (const { events, sequence, stage } of [...together, ...apart]) await bench.decided(events[0]!.exchange, sequence, stage)
      await bench.quiet()
    }),
  },
  {
    id: 'order',
    rule: 'Events of one exchange are answered in their order, also when the next one comes before the last was answered.',
    run: (subject) => Bench.use(subject, async (bench) => {
      const events = twoQuestions(bench)
      bench.send(...events)
      const [first, second] = [events.find(({ timeoutMs }) => timeoutMs > 0)!.sequence, events.at(-1)!.sequence]
      await bench.answer(1, first)
      await bench.answer(1, second)
      const order = bench.stream.to(1).filter(({ kind }) => kind !== 'more_time' && kind !== 'credit').map(({ sequence }) => sequence)
      if (order.indexOf(first) > order.indexOf(second)) throw new Broken(`it answered event ${second} before event ${first}`)
      await bench.quiet()
    }),
  },
  {
    id: 'unknown-field',
    rule: 'Fields that the agent does not know are ignored, in the message, in the event and at any wire type.',
    run: (subject) => Bench.use(subject, async (bench) => {
      const { events, sequence, stage } = bench.question(1)
      for (const event of events) bench.raw(event, eventWith(event, fieldsOfLater(), fieldsOfLater()))
      await bench.decided(1, sequence, stage)
    }),
  },
  {
    id: 'unknown-kind',
    rule: 'An event of a kind that the agent does not know is answered with an error, never with a decision.',
    run: (subject) => Bench.use(subject, async (bench) => {
      // Who is done with an exchange at its head is asked about one that begins in a way of which it knows nothing.
      const sequence = await bench.begin(1).then((last) => last + 1, (error: unknown) => {
        if (error instanceof NotApplicable) return 1
        throw error
      })
      const exchange = sequence === 1 ? 2 : 1
      const event: Event = { ...emptyEvent, exchange, sequence, timeoutMs: bench.subject.timeoutMs }
      bench.raw(event, eventWith(event, kindOfLater))
      const reply = await bench.answer(exchange, sequence)
      if (reply.kind !== 'error') throw new Broken(`it answers with ${reply.kind === 'decision' ? `the decision ${reply.value.kind ?? 'of no kind'}` : String(reply.kind)}`)
      // Whoever is asked by a newer proxy goes on with what it knows.
      await bench.ask(3)
    }),
  },
  {
    id: 'unanswered',
    rule: 'What awaits no reply gets none: events without a timeout, cancel, complete and credit.',
    run: (subject) => Bench.use(subject, async (bench) => {
      const { events, sequence } = bench.question(1)
      bench.send(...events)
      await bench.answer(1, sequence)
      bench.tell(1, sequence + 1, { kind: 'credit', value: { bytes: 65_536 } })
      bench.tell(1, sequence + 2, { kind: 'cancel', value: { reason: 'client_gone', detail: 'CLIENT_GONE' } })
      bench.end(1, sequence + 3)
      bench.tell(2, 1, requestHead({ method: 'GET', target: '/told', headers: [] }))
      bench.end(2, 2)
      await bench.quiet()
      bench.alive()
      await bench.ask(3)
    }),
  },
  {
    id: 'unknown-exchange',
    rule: 'Cancel and complete of an exchange that the agent does not know are passed over in silence; a question about one is an error.',
    run: (subject) => Bench.use(subject, async (bench) => {
      await bench.ask(1)
      bench.tell(900, 1, { kind: 'cancel', value: { reason: 'timeout', detail: '' } })
      bench.end(901, 1)
      await bench.quiet()
      bench.alive()
      bench.send(numbered(902, 2, bench.subject.timeoutMs, responseHead(200, [])))
      const reply = await bench.answer(902, 2)
      if (reply.kind !== 'error') throw new Broken(`it decides about an exchange whose request it never saw: ${reply.kind ?? 'a reply of no kind'}`)
      await bench.ask(903)
    }),
  },
  {
    id: 'cancel-frees',
    rule: 'An exchange that was cancelled or is complete takes no place any more: as many as before may come.',
    run: (subject) => Bench.use(subject, async (bench) => {
      const bound = bench.subject.describe.limits?.maxExchanges ?? 0
      const many = Math.min(bound === 0 ? 300 : bound, 1_000)
      for (let round = 0; round < 3; round++) {
        const questions = Array.from({ length: many }, (_, i) => bench.question(round * many + i + 1))
        bench.send(...questions.flatMap(({ events }) => events))
        for (const [i, { events, sequence, stage }] of questions.entries()) {
          const { exchange } = events[0]!
          // Half of them are given up before they are answered, as far as the agent is not quicker.
          if (i % 2 === 0) await bench.decided(exchange, sequence, stage)
          else bench.tell(exchange, sequence + 1, { kind: 'cancel', value: { reason: 'client_gone', detail: '' } })
          bench.end(exchange, sequence + 1 + i % 2)
        }
      }
      await bench.ask(3 * many + 1)
    }),
  },
  {
    id: 'in-flight',
    rule: 'A thousand exchanges at once, or as many as the agent says it takes, are all answered.',
    run: (subject) => Bench.use(subject, async (bench) => {
      const bound = bench.subject.describe.limits?.maxExchanges ?? 0
      const many = Math.min(bound === 0 ? 1_000 : bound, 1_000)
      const questions = Array.from({ length: many }, (_, i) => bench.question(i + 1))
      for (let at = 0; at < many; at += 100) bench.send(...questions.slice(at, at + 100).flatMap(({ events }) => events))
      for (const { events, sequence, stage } of questions) await bench.decided(events[0]!.exchange, sequence, stage)
      await bench.quiet()
    }),
  },
  {
    id: 'streams-apart',
    rule: 'Exchanges of different connections have nothing to do with each other, although their numbers are the same.',
    run: (subject) => Bench.use(subject, (one) => Bench.use(subject, async (other) => {
      for (let exchange = 1; exchange <= 20; exchange++) await Promise.all([one.ask(exchange), other.ask(exchange)])
      await one.quiet()
      await other.quiet()
    })),
  },
]

/** Two events of one exchange that both await an answer. */
function twoQuestions (bench: Bench): Event[] {
  const { timeoutMs } = bench.subject
  const body = Buffer.from('a=b')
  const head = requestHead({ method: 'POST', target: '/conformance', headers: ['host', 'agent.test'], body })
  const asked = [
    ...bench.wants('request_headers') ? [head] : [],
    ...bench.wants('request_body') ? [chunk('request_body', body, true)] : [],
    ...bench.wants('response_headers') ? [responseHead(200, ['content-type', 'text/plain'])] : [],
  ]
  if (asked.length < 2) throw new NotApplicable('it is asked once for each exchange')
  const told = bench.wants('request_headers') ? [] : [numbered(1, 1, 0, head)]
  return [...told, ...asked.slice(0, 2).map((event, i) => numbered(1, told.length + i + 1, timeoutMs, event))]
}

