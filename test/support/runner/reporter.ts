import { writeSync } from 'node:fs'
import { inspect } from 'node:util'
import type { TestEvent } from './events.ts'

/**
 * The reporter inside the process of a test file (`node --test-reporter=…`): writes what happens as JSON lines to descriptor 3, at once,
 * so that nothing is lost when the process dies in the middle.
 */

const eventsFd = 3
/** How long a file may stay alive with all its tests done: something it opened is still open. */
const lingerMs = Number(process.env['SENTINEL_TEST_LINGER_MS'] ?? 10_000)

interface NodeEvent {
  readonly type: string
  readonly data: Record<string, unknown>
}

// node:test takes reporters as default exports.
// oxlint-disable-next-line import/no-default-export
export default async function * report (source: AsyncIterable<NodeEvent>): AsyncGenerator<string> {
  const linger = new Linger()
  for await (const { type, data } of source) {
    const name = typeof data['name'] === 'string' ? data['name'] : ''
    const nesting = typeof data['nesting'] === 'number' ? data['nesting'] : 0
    if (type === 'test:dequeue') linger.begun()
    if (type === 'test:complete') linger.done()
    if (type === 'test:dequeue' || type === 'test:complete') write({ type: type === 'test:dequeue' ? 'begin' : 'end', name, nesting })
    if (type === 'test:pass' || type === 'test:fail') write(result(type, data, name, nesting))
    if (type === 'test:diagnostic') write({ type: 'note', text: String(data['message']), nesting })
  }
  linger.stop()
  // A generator without a yield is no reporter; nothing is to be seen on stdout.
  yield ''
}

function result (type: string, data: Record<string, unknown>, name: string, nesting: number): TestEvent {
  const details = record(data['details'])
  const error = record(details['error'])
  return {
    type: 'result',
    name,
    nesting,
    passed: type === 'test:pass',
    suite: details['type'] === 'suite',
    skip: marked(data['skip'], 'skipped'),
    todo: marked(data['todo'], 'to do'),
    durationMs: typeof details['duration_ms'] === 'number' ? details['duration_ms'] : 0,
    failureType: typeof error['failureType'] === 'string' ? error['failureType'] : '',
    error: type === 'test:fail' ? describe(error) : ''
  }
}

function marked (value: unknown, otherwise: string): string | undefined {
  if (value === undefined || value === false) return undefined
  return typeof value === 'string' && value !== '' ? value : otherwise
}

function describe (error: Record<string, unknown>): string {
  const cause = error['cause'] ?? error
  const text = typeof cause === 'string' ? cause : inspect(cause, { depth: 4 })
  return text.split('\n').filter((line) => !/^\s+at (.*\(?node:(internal|async_hooks)|new Promise |Array\.map)/.test(line)).join('\n')
}

function record (value: unknown): Record<string, unknown> {
  // An object's properties are unknown until looked at, which is all that this type says.
  return typeof value === 'object' && value !== null ? value as Record<string, unknown> : {}
}

function write (event: TestEvent): void {
  writeSync(eventsFd, `${JSON.stringify(event)}\n`)
}

/** Ends a process that has nothing left to test and does not end, saying what keeps it. */
class Linger {
  #running = 0
  #timer: NodeJS.Timeout | undefined

  begun (): void {
    this.#running++
    this.stop()
  }

  done (): void {
    this.#running--
    this.stop()
    if (this.#running > 0) return
    this.#timer = setTimeout(() => {
      write({ type: 'lingering', resources: process.getActiveResourcesInfo() })
      process.exit(1)
    }, lingerMs)
    this.#timer.unref()
  }

  stop (): void {
    clearTimeout(this.#timer)
  }
}
