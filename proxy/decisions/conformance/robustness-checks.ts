import { frame } from '../../../proto/codec/index.ts'
import { Fault } from '../../pipeline/faults.ts'
import { AgentLink } from '../by-hand/link.ts'
import { numbered, requestHead } from '../by-hand/events.ts'
import { Bench } from './bench.ts'
import { Broken, NotApplicable, type Check, type Subject } from './check.ts'

export const robustnessChecks: readonly Check[] = [
  {
    id: 'big-heads',
    rule: 'A head of a thousand fields, and one with a value of 48 KiB, are decided about.',
    run: (subject) => Bench.use(subject, async (bench) => {
      await bench.ask(1, { headers: Array.from({ length: 1_000 }, (_, i) => [`x-field-${i}`, 'v'.repeat(100)]).flat() })
      await bench.ask(2, { headers: ['x-long', 'v'.repeat(48 * 1024)] })
    }),
  },
  {
    id: 'bytes',
    rule: 'Field values, paths and queries are bytes: what is no UTF-8 is decided about, and fields keep their case, order and doubles.',
    run: (subject) => Bench.use(subject, async (bench) => {
      const every = Array.from({ length: 0x80 }, (_, i) => String.fromCharCode(0x80 + i)).join('')
      await bench.ask(1, { headers: ['X-Bytes', every, 'x-bytes', '', 'X-BYTES', '\xff\xfe'], target: '/a%ff?q=\xff\xc3' })
      await bench.ask(2, { headers: ['', ''] })
    }),
  },
  {
    id: 'health',
    rule: 'grpc.health.v1.Health/Check says SERVING, for the agent\'s service and for the whole server.',
    run: (subject) => Bench.use(subject, async (bench) => {
      for (const service of [undefined, '']) {
        const status = await bench.link.health(service)
        if (status !== 'serving') throw new Broken(`Check says ${status} ${service === '' ? 'for the whole server' : 'for the agent\'s service'}`)
      }
    }),
  },
  {
    id: 'half-closed',
    rule: 'When the proxy has said everything (its side of the stream is closed), open questions are still answered and the call ends with status 0.',
    run: (subject) => Bench.use(subject, async (bench) => {
      const { events, sequence } = bench.question(1)
      bench.send(...events)
      bench.stream.halfClose()
      await bench.answer(1, sequence)
      await bench.stream.until(() => bench.stream.ended !== undefined, subject.timeoutMs)
      if (bench.stream.ended === undefined) throw new Broken(`the call did not end in ${subject.timeoutMs} ms`)
      if (!bench.stream.ended.ok) throw new Broken(bench.stream.ended.fault.detail ?? bench.stream.ended.fault.code)
      bench.anew()
      await bench.ask(1)
    }),
  },
  {
    id: 'proxy-gone',
    rule: 'A stream or a connection that breaks with open exchanges ends those, and nothing else.',
    run: (subject) => Bench.use(subject, async (bench) => {
      bench.send(...bench.question(1).events)
      bench.stream.reset()
      bench.anew()
      await bench.ask(1)
      for (let i = 0; i < 5; i++) await Bench.use(subject, async (other) => { other.send(...other.question(1).events) })
      await bench.ask(2)
      bench.anew()
      await bench.ask(1)
    }),
  },
  {
    id: 'garbage',
    rule: 'Bytes that are no message of the protocol end the call with an error at the most: the agent goes on serving others.',
    run: (subject) => Bench.use(subject, async (bench) => {
      const garbage = [
        frame(Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 1])), frame(Buffer.alloc(5_000, 0xff)),
        Buffer.from([0, 0, 0, 0, 9, 1, 2]), Buffer.alloc(64, 0xff), frame(Buffer.from([0x0a, 2, 0x08, 0x80])),
      ]
      for (const bytes of garbage) {
        await connected(subject, async (link) => {
          const stream = link.process()
          stream.raw(bytes)
          stream.halfClose()
          await stream.until(() => stream.ended !== undefined, 1_000)
          if (stream.replies.some(({ kind }) => kind === 'decision')) throw new Broken('it answers garbage with a decision')
        })
      }
      await bench.ask(1)
      await Bench.use(subject, async (other) => { await other.ask(1) })
    }),
  },
  {
    id: 'drain',
    rule: 'Told to stop (SIGTERM), it finishes what is open, decides or refuses what still comes, and closes the connection.',
    run: drains,
  },
]

async function connected (subject: Subject, work: (link: AgentLink) => Promise<void>): Promise<void> {
  const link = await AgentLink.open(subject)
  try {
    await work(link)
  } finally {
    link.close()
  }
}

/** Longest time that an agent takes to stop while nothing is open, in answers. */
const stopAnswers = 2

async function drains (subject: Subject): Promise<void> {
  const { pid } = subject
  if (pid === undefined) throw new NotApplicable('it is only seen when the agent may be stopped: give its process with --stop-pid')
  await Bench.use(subject, async (bench) => {
    const leaving = bench.link.whenLeaving()
    await bench.ask(1)
    bench.end(1, bench.question(1).sequence + 1)
    const { events, sequence } = bench.question(2)
    bench.send(...events)
    try {
      process.kill(pid, 'SIGTERM')
    } catch (error) {
      throw new NotApplicable(`process ${pid} cannot be told to stop: ${error instanceof Error ? error.message : String(error)}`)
    }
    const reply = await bench.answer(2, sequence)
    if (reply.kind === 'error' && !reply.value.retryable) throw new Broken(`it gives up an open question: ${reply.value.code}: ${reply.value.message}`)
    bench.end(2, sequence + 1)
    await Promise.race([leaving, late(stopAnswers * subject.timeoutMs)])
    if (await stillTakes(subject)) throw new Broken('it still takes new exchanges after it has said goodbye')
  })
}

function late (ms: number): Promise<void> {
  return new Promise((_resolve, reject) => { setTimeout(() => reject(new Broken(`it still holds the connection after ${ms} ms`)), ms).unref() })
}

async function stillTakes (subject: Subject): Promise<boolean> {
  try {
    const link = await AgentLink.open({ ...subject, timeoutMs: 1_000 })
    const stream = link.process()
    stream.send(numbered(1, 1, 500, requestHead({ method: 'GET', target: '/', headers: [] })))
    const decided = await stream.until(() => stream.replies.some(({ kind }) => kind === 'decision'), 500)
    link.close()
    return decided
  } catch (error) {
    if (error instanceof Fault) return false
    throw error
  }
}
