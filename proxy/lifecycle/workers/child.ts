import { createLog } from '../../observe/log.ts'
import { createMetrics } from '../../observe/metrics.ts'
import { settleEngine } from '../engine.ts'
import { readVersion } from '../version.ts'
import { ChildSide } from './child-side.ts'
import type { ToWorker } from './messages.ts'

/** The program of a worker: everything it has to know comes through the channel, and when main is gone it ends. */
const settled = settleEngine()
// These are main's to obey, which tells its workers. On a terminal, and from some service managers, all processes of a group get them.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGQUIT'] as const) process.on(signal, () => {})
// Main is gone, and with it who reads.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

const log = createLog({ level: 'info', format: 'json' })
process.on('uncaughtException', (error) => {
  // Nobody knows what state the data path is in: main starts another.
  log.error('a bug ended the worker', { event: 'crashed', code: 'INTERNAL', error })
  log.flushSync()
  process.exit(2)
})

let side: ChildSide | undefined
process.on('message', (message: ToWorker, handle: unknown) => {
  if (message.to !== 'begin') return side?.take(message, handle)
  process.title = `sentinel: worker ${message.introduction.number}`
  side = new ChildSide({
    introduction: message.introduction, log, settled, env: process.env,
    metrics: createMetrics({ version: readVersion() }),
    send: (answer, sent = ignore) => {
      // Without a function for it, a channel that is gone would end the process.
      if (process.connected) process.send?.(answer, undefined, {}, sent)
      else sent()
    },
    leave: async () => {
      await log.close()
      process.exit(0)
    },
  })
})
process.on('disconnect', () => {
  if (side === undefined) process.exit(0)
  void side.orphaned()
})
// Nobody hears of an end that comes while the modules are loaded.
if (!process.connected) process.exit(0)
process.send?.({ from: 'loaded' })

function ignore (): void {}
