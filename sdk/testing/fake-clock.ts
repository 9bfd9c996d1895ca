import { parseDuration } from '../../config/schema/quantities.ts'
import { monotonic } from '../store/memory.ts'

/** What the harness needs of a clock. */
export interface TestClock {
  /** Milliseconds that only grow. */
  now (): number
  /** Calls back once that many milliseconds from now, and returns how to stop that. */
  after (ms: number, call: () => void): () => void
}

/** Time that stands still until the test moves it. */
export interface FakeClock extends TestClock {
  /**
   * Lets time pass: "10s", "1m", or milliseconds. Deadlines, `moreTime` and lifetimes in the store that end meanwhile end in their order, each at its time;
   * handlers that wait for them go on before this resolves. Timers of Node itself are `mock.timers` of node:test.
   */
  advance (time: string | number): Promise<void>
}

interface Alarm {
  readonly atMs: number
  readonly call: () => void
}

/** Turns of the event loop that a handler may need to go on after something happened. */
const turns = 5

/** A clock for `testAgent(agent, { clock })`. */
export function fakeClock (): FakeClock {
  let nowMs = 0
  const alarms = new Set<Alarm>()
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate)
  }
  return {
    now: () => nowMs,
    after (ms, call) {
      const alarm = { atMs: nowMs + ms, call }
      alarms.add(alarm)
      return () => { alarms.delete(alarm) }
    },
    async advance (time) {
      const untilMs = nowMs + millisecondsOf(time)
      // What was begun and not awaited, such as a request, comes before time passes.
      await settle()
      for (let next = firstDue(alarms, untilMs); next !== undefined; next = firstDue(alarms, untilMs)) {
        alarms.delete(next)
        nowMs = Math.max(nowMs, next.atMs)
        next.call()
        await settle()
      }
      nowMs = untilMs
      await settle()
    },
  }
}

function firstDue (alarms: ReadonlySet<Alarm>, untilMs: number): Alarm | undefined {
  let first: Alarm | undefined
  for (const alarm of alarms) if (alarm.atMs <= untilMs && (first === undefined || alarm.atMs < first.atMs)) first = alarm
  return first
}

function millisecondsOf (time: string | number): number {
  const ms = typeof time === 'number' ? time : parseDuration(time)
  if (ms === undefined || !(ms >= 0)) throw new TypeError(`${JSON.stringify(time)} is no time: write "10s", or milliseconds as a number`)
  return ms
}

/** The clock of the machine. */
export const realClock: TestClock = {
  now: monotonic,
  after (ms, call) {
    const timer = setTimeout(call, ms)
    return () => clearTimeout(timer)
  },
}
