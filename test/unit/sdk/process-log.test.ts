// The log of an agent's process, whoever reads it.
import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { patienceMs } from '../../support/patience.ts'

const log = fileURLToPath(new URL('../../../sdk/server/log.js', import.meta.url))

/** A process that has a log and does `what` with it; ends, as agents do, when its input ends. */
function start (t: TestContext, what: string): ChildProcess {
  const script = `import { processLog } from ${JSON.stringify(log)}
const log = processLog('info', {})
const leave = () => { log.warn('the proxy is gone'); void log.flush().then(() => process.exit(0)) }
process.stdin.on('end', leave).resume()
${what}`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: ['pipe', 'pipe', 'pipe'] })
  t.after(() => { child.kill('SIGKILL') })
  return child
}

async function exitCode (child: ChildProcess): Promise<number | null> {
  const [code] = await once(child, 'exit', { signal: AbortSignal.timeout(patienceMs) }) as [number | null]
  return code
}

test('a process whose reader is gone ends all the same, with lines that nobody will read', async (t) => {
  const child = start(t, 'setInterval(() => { for (let i = 0; i < 100; i++) log.info({ i }, "a line") }, 1)')
  await once(child.stderr!, 'data')
  child.stderr!.destroy()
  child.stdin!.end()
  assert.equal(await exitCode(child), 0)
})

test('a process whose reader takes nothing neither waits for it nor keeps more than so much, and ends', async (t) => {
  const child = start(t, 'setInterval(() => { for (let i = 0; i < 1000; i++) log.info({ i }, "x".repeat(1000)); process.stdout.write(".") }, 1)')
  let turns = 0
  child.stdout!.on('data', (dots: Buffer) => { turns += dots.length })
  while (turns < 200) await once(child.stdout!, 'data')
  child.stdin!.end()
  assert.equal(await exitCode(child), 0)
})

test('whoever reads gets every line, whole and in order, the last one too', async (t) => {
  const child = start(t, 'for (let i = 0; i < 5_000; i++) log.info({ i }, "é".repeat(i % 50)); process.stdout.write("written")')
  let text = ''
  child.stderr!.setEncoding('utf8').on('data', (piece: string) => { text += piece })
  await once(child.stdout!, 'data')
  child.stdin!.end()
  await once(child, 'close')
  const lines = text.trimEnd().split('\n').map((line) => JSON.parse(line) as { readonly i?: number, readonly msg: string })
  assert.deepEqual(lines.slice(0, -1).map(({ i }) => i), Array.from({ length: 5_000 }, (_, i) => i))
  assert.equal(lines.at(-1)?.msg, 'the proxy is gone')
})
