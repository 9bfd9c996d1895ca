import { block } from '../schema/blocks.ts'
import { anything, setting } from '../schema/fields.ts'
import { duration } from '../schema/quantities.ts'
import type { ValueType } from '../schema/value.ts'
import { unfit } from '../schema/value.ts'
import { integer } from '../schema/values.ts'

/** Only 1.0 exists. A later minor version may know settings that this program does not: it loads, with a warning. */
export const schemaVersion: ValueType<string> = {
  name: 'version',
  expected: 'a version',
  example: '"1.0"',
  json: { type: 'string', pattern: '^\\d+\\.\\d+$' },
  parse (raw) {
    if (typeof raw !== 'string') return typeof raw === 'number' ? { wrong: '', hint: 'write "1.0" with quotes' } : unfit
    const [, major, minor] = /^(\d{1,4})\.(\d{1,4})$/.exec(raw) ?? []
    if (major === undefined || minor === undefined) return unfit
    if (Number(major) < 1) return { wrong: 'it is older than 1.0, the first version' }
    return raw === '1.0' ? { value: raw } : { value: raw, notBuilt: 'this program knows version 1.0' }
  },
}

const fields = {
  workerThreads: setting(integer(0, 1024), 1, 'Processes that serve requests; 0 = one for each processor core.'),
  gracefulShutdownTimeout: setting(duration, '30s', 'How long open requests may go on after a stop was asked for.', { aliases: ['graceful-shutdown-timeout-secs'] }),
  maxConnections: anything('Connections of all listeners together. Use `limits { max-total-connections }`.'),
  daemon: anything('Go to the background.'),
  pidFile: anything('File for the process id.'),
  user: anything('User to become after the sockets are bound.'),
  group: anything('Group to become after the sockets are bound.'),
  workingDirectory: anything('Folder to change to at start.'),
  traceIdFormat: anything('Form of request ids.'),
  autoReload: anything('Reload when a file of the configuration changes.'),
  routeCacheSize: anything('Remembered results of route matching.'),
  workers: anything('Older name of `worker-threads`.'),
  listen: anything('Older form of a listener.'),
  connectionTimeout: anything('Older name of a listener\'s `request-timeout`.'),
  logLevel: anything('Older place of `observability { logging { level } }`.'),
}

export const system = block(fields, 'The program as a whole.', {
  aliases: ['server'],
  build (value, here) {
    if (value.workerThreads !== 1) {
      here.report.warning('CONFIG_NOT_BUILT', `worker-threads ${value.workerThreads} is accepted, but not in effect yet`, here.where('workerThreads'), 'one process serves all requests')
    }
    return value
  },
})
