import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { constants, mkdtempSync, openSync, readFileSync, readSync, closeSync, renameSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import type { TestContext } from 'node:test'
import { openLineSink } from '../../../proxy/observe/line-sink.ts'
import type { SinkTrouble } from '../../../proxy/observe/line-sink.ts'
import { fromDist } from '../../support/paths.ts'
import { patienceMs } from '../../support/patience.ts'

function folder (t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'sink-'))
  t.after(() => rmSync(path, { recursive: true }))
  return path
}

test('lines are appended in order and none is lost on close', async (t) => {
  const file = join(folder(t), 'access.log')
  const sink = openLineSink({ to: file, maxBufferBytes: 1e7 })
  for (let i = 0; i < 50_000; i++) sink.write(`line ${i}\n`)
  await sink.close()
  assert.equal(readFileSync(file, 'utf8'), Array.from({ length: 50_000 }, (_, i) => `line ${i}\n`).join(''))
  assert.equal(statSync(file).mode & 0o007, 0, 'not readable by everybody')
})

test('after a rotation, reopen goes on in a new file and no line is in neither', async (t) => {
  const file = join(folder(t), 'access.log')
  const sink = openLineSink({ to: file, maxBufferBytes: 1e7 })
  for (let i = 0; i < 1_000; i++) sink.write(`old ${i}\n`)
  renameSync(file, `${file}.1`)
  const reopened = sink.reopen()
  for (let i = 0; i < 1_000; i++) sink.write(`new ${i}\n`)
  await reopened
  await sink.close()
  const lines = (readFileSync(`${file}.1`, 'utf8') + readFileSync(file, 'utf8')).split('\n')
  assert.equal(lines.length, 2_001)
  assert.ok(readFileSync(file, 'utf8').endsWith('new 999\n'))
})

test('a rotation that cannot open the new file keeps the old one', async (t) => {
  const file = join(folder(t), 'access.log')
  const sink = openLineSink({ to: file, maxBufferBytes: 1e6 })
  renameSync(file, `${file}.1`)
  execFileSync('mkdir', [file])
  await assert.rejects(sink.reopen(), { code: 'EISDIR' })
  sink.write('still here\n')
  await sink.close()
  assert.equal(readFileSync(`${file}.1`, 'utf8'), 'still here\n')
})

for (const immediate of [false, true]) {
  test(`a reader that stops costs bounded memory, and the lines lost are counted and said once (immediate: ${immediate})`, async (t) => {
    const fifo = join(folder(t), 'pipe')
    execFileSync('mkfifo', [fifo])
    const reader = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK)
    t.after(() => closeSync(reader))
    const troubles: SinkTrouble[] = []
    // A pipe takes 64 KiB; written without blocking, as stdout is.
    const sink = openLineSink({ to: fifo, maxBufferBytes: 10_000, immediate, onTrouble: (trouble) => troubles.push(trouble), nonBlocking: true })
    const line = `${'x'.repeat(99)}\n`
    let lost = 0
    for (let turn = 0; turn < 200; turn++) {
      for (let i = 0; i < 10; i++) if (!sink.write(line)) lost++
      await new Promise((resolve) => setImmediate(resolve))
    }
    assert.ok(lost > 500, `${lost} lost`)
    assert.equal(sink.lostLines, lost)
    assert.equal(troubles.length, 1)
    assert.equal(troubles[0]?.kind, 'failing')
    let got = 0
    const drain = () => {
      try {
        for (;;) got += readSync(reader, Buffer.alloc(65_536))
      } catch { /* EAGAIN: nothing there yet */ }
    }
    let sent = 2_000 - lost
    drain()
    while (troubles.length < 2) {
      if (sink.write(line)) sent++
      else lost++
      await new Promise((resolve) => setTimeout(resolve, 5))
      drain()
    }
    await sink.close()
    drain()
    assert.equal(got, sent * line.length, 'every line that was taken arrives whole')
    assert.equal(troubles[1]?.kind, 'recovered')
    assert.equal(troubles[0]!.lostLines + troubles[1]!.lostLines, lost)
  })
}

for (const immediate of [false, true]) {
  test(`a pipe whose reader is gone holds up no end (immediate: ${immediate})`, async (t) => {
    const fifo = join(folder(t), 'pipe')
    execFileSync('mkfifo', [fifo])
    const reader = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK)
    const sink = openLineSink({ to: fifo, maxBufferBytes: 10_000, immediate, nonBlocking: true })
    closeSync(reader)
    for (let i = 0; i < 10; i++) sink.write(`line ${i}\n`)
    // Far longer than the test may take.
    await sink.close(24 * 3_600_000)
  })
}

test('a write that comes back after the end is not tried again, which would keep the process alive for ever', (t) => {
  const fifo = join(folder(t), 'pipe')
  execFileSync('mkfifo', [fifo])
  const program = `
    import { closeSync, constants, openSync } from 'node:fs'
    import { openLineSink } from ${JSON.stringify(fromDist('proxy', 'observe', 'line-sink.js'))}
    const reader = openSync(${JSON.stringify(fifo)}, constants.O_RDWR | constants.O_NONBLOCK)
    const sink = openLineSink({ to: ${JSON.stringify(fifo)}, maxBufferBytes: 1e7 })
    // More than a pipe takes: the write waits in its thread.
    sink.write('x'.repeat(1_000_000) + '\\n')
    await sink.close(1)
    closeSync(reader)`
  execFileSync(process.execPath, ['--input-type=module', '--eval', program], { timeout: patienceMs })
})
