import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { tailFilter } from '../../proxy/cli/tail-filter.ts'
import type { OptionValues } from '../../proxy/cli/command.ts'
import { follow } from '../../proxy/control/index.ts'
import { atEnd } from './at-end.ts'
import { eventually, startProgram } from './running-service.ts'
import { startSentinel, type RunningSentinel } from './sentinel.ts'

export interface Tailing {
  /** Lines so far. */
  readonly lines: () => readonly string[]
  /** Lines of JSON. */
  readonly records: () => ReadonlyArray<Readonly<Record<string, unknown>>>
  readonly said: () => string
  readonly ended: Promise<number | null>
  readonly stop: () => Promise<void>
}

export interface Watched {
  readonly records: ReadonlyArray<Readonly<Record<string, unknown>>>
  readonly ended: Promise<unknown>
}

export interface Tailed {
  readonly sentinel: RunningSentinel
  /** What is told of requests that fit; resolves when somebody looks on. */
  readonly watch: (options?: OptionValues) => Promise<Watched>
  /** Looks on and reads nothing, until `read` gives all lines there are. Then /end is asked for, until that is seen, so often as `asked` says. */
  readonly stalled: () => Promise<{ readonly read: () => Promise<{ readonly lines: readonly string[], readonly asked: number }> }>
  /** Starts `sentinel tail` and resolves when it looks on: with the answer to a request of this path. */
  readonly tail: (args?: readonly string[], witness?: () => Promise<unknown>) => Promise<Tailing>
}

/** A proxy whose control socket is in a folder of this test. */
export async function startTailed (t: TestContext, kdl: string): Promise<Tailed> {
  const runtime = mkdtempSync(join(tmpdir(), 'sentinel-tail-'))
  t.after(() => rmSync(runtime, { recursive: true, force: true }))
  const env = { RUNTIME_DIRECTORY: runtime }
  const sentinel = await startSentinel(t, kdl, { env })
  return {
    sentinel,
    async watch (options = {}) {
      const filter = tailFilter(options)
      if (typeof filter === 'string') throw new Error(filter)
      const records: Array<Record<string, unknown>> = []
      let ended!: Promise<unknown>
      await new Promise<void>((resolve, reject) => {
        ended = follow([join(runtime, readdirSync(runtime)[0]!, 'control.sock')], {
          path: '/tail', body: filter,
          onLine (line) {
            if (line.startsWith('{"tail"')) resolve()
            else records.push(JSON.parse(line) as Record<string, unknown>)
          },
        })
        ended.then((end) => reject(new Error(JSON.stringify(end))), reject)
      })
      return { records, ended }
    },
    async stalled () {
      const socket = connect(join(runtime, readdirSync(runtime)[0]!, 'control.sock'))
      let text = ''
      let begun = false
      socket.write('POST /tail HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}')
      await new Promise<void>((resolve) => {
        socket.on('data', (chunk: Buffer) => {
          text += chunk.toString('latin1')
          if (begun || !text.includes('{"tail":"begun"}')) return
          begun = true
          socket.pause()
          resolve()
        })
      })
      atEnd(t, () => socket.destroy())
      return {
        async read () {
          socket.resume()
          let asked = 0
          await eventually(async () => {
            asked++
            await sentinel.get('/end')
            return text.includes('"path":"/end"') ? true : undefined
          }, 'the last line')
          return { asked, lines: unchunked(text.slice(text.indexOf('\r\n\r\n') + 4)).split('\n').filter((line) => !line.includes('/end"')) }
        },
      }
    },
    async tail (args = [], witness = () => sentinel.get('/witness')) {
      const child = startProgram(t, ['tail', '-c', sentinel.file, ...args], { env })
      let out = ''
      let err = ''
      child.stdout!.on('data', (chunk: Buffer) => { out += chunk.toString() })
      child.stderr!.on('data', (chunk: Buffer) => { err += chunk.toString() })
      const ended = new Promise<number | null>((resolve) => { child.on('close', resolve) })
      const lines = (): string[] => out.split('\n').slice(0, -1)
      const look = async (): Promise<true | undefined> => {
        await witness()
        return lines().some((line) => line.includes('/witness')) ? true : undefined
      }
      await eventually(look, `sentinel tail shows something (${err})`)
      return {
        lines: () => lines().filter((line) => !line.includes('/witness')),
        records: () => lines().filter((line) => !line.includes('/witness')).map((line) => JSON.parse(line) as Record<string, unknown>),
        said: () => err,
        ended,
        async stop () {
          child.kill('SIGINT')
          await ended
        },
      }
    },
  }
}

/** Without the lines of RFC 9112 section 7.1 between the pieces. */
function unchunked (text: string): string {
  let out = ''
  for (let at = 0; at < text.length;) {
    const end = text.indexOf('\r\n', at)
    const length = Number.parseInt(text.slice(at, end), 16)
    if (end === -1 || !(length > 0)) break
    out += text.slice(end + 2, end + 2 + length)
    at = end + 4 + length
  }
  return out
}
