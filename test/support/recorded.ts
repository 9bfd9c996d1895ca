import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { eventually, startProgram } from './running-service.ts'
import { runSentinel, startSentinel, type RunningSentinel } from './sentinel.ts'

export interface RecordedCase {
  readonly id: string
  readonly route: string
  readonly status: number
  readonly request: { readonly method: string, readonly path: string, readonly query?: string }
  readonly agents: ReadonlyArray<{
    readonly agent: string
    readonly mode: string
    readonly asked: ReadonlyArray<{
      readonly event: { readonly kind: string, readonly value: Readonly<Record<string, unknown>> }
      readonly reply?: { readonly kind: string, readonly value: Readonly<Record<string, unknown>> }
      readonly failed?: string
      readonly ms?: number
    }>
  }>
  readonly redacted: readonly string[]
}

export interface Recording {
  readonly file: string
  /** Cases so far, but for those of the witness. */
  readonly cases: () => RecordedCase[]
  readonly text: () => string
  readonly said: () => string
  /** Waits for so many cases, then ends it; resolves with the exit code. */
  readonly stop: (cases?: number) => Promise<number | null>
  readonly ended: Promise<number | null>
  readonly process: ChildProcess
}

export interface RecordedProxy {
  readonly sentinel: RunningSentinel
  readonly controlSocket: () => string
  readonly command: (...args: string[]) => ReturnType<typeof runSentinel>
  /** Starts `sentinel record` and resolves when it writes. */
  readonly record: (args?: readonly string[]) => Promise<Recording>
}

/** A proxy whose control socket is in a folder of this test. */
export async function startRecorded (t: TestContext, kdl: string): Promise<RecordedProxy> {
  const runtime = mkdtempSync(join(tmpdir(), 'sentinel-record-'))
  t.after(() => rmSync(runtime, { recursive: true, force: true }))
  const env = { RUNTIME_DIRECTORY: runtime }
  const sentinel = await startSentinel(t, kdl, { env })
  let made = 0
  return {
    sentinel,
    controlSocket: () => join(runtime, readdirSync(runtime).find((name) => !name.startsWith('cases'))!, 'control.sock'),
    command: (...args) => runSentinel(args, { env, cwd: sentinel.folder }),
    async record (args = []) {
      const file = join(runtime, `cases-${++made}.jsonl`)
      const child = startProgram(t, ['record', '-c', sentinel.file, '-o', file, ...args], { env })
      let said = ''
      child.stderr!.on('data', (chunk: Buffer) => { said += chunk.toString() })
      const ended = new Promise<number | null>((resolve) => { child.on('close', resolve) })
      const lines = (): RecordedCase[] => readFileSync(file, 'utf8').split('\n').slice(0, -1).map((line) => JSON.parse(line) as RecordedCase & { kind: string })
        .filter(({ kind }) => kind === 'case')
      const witnessed = async (): Promise<true | undefined> => {
        await sentinel.get('/witness')
        try {
          return lines().length > 0 ? true : undefined
        } catch {
          return undefined
        }
      }
      await eventually(witnessed, `sentinel record writes something (${said})`)
      const cases = (): RecordedCase[] => lines().filter(({ request }) => request.path !== '/witness')
      return {
        file, cases, ended, process: child,
        text: () => readFileSync(file, 'utf8'),
        said: () => said,
        async stop (wanted = 0) {
          await eventually(() => cases().length >= wanted ? true : undefined, `${wanted} cases`)
          child.kill('SIGINT')
          return ended
        },
      }
    },
  }
}
