import type { SentinelConfig } from '../../config/sentinel/index.ts'
import { factOf } from '../filters/index.ts'
import { accessLog } from '../observe/access-log.ts'
import { auditLog, type AuditLog } from '../observe/audit-log.ts'
import { errorLog } from '../observe/error-log.ts'
import type { LineSink } from '../observe/line-sink.ts'
import type { LogFileOptions } from '../observe/log-files.ts'
import type { Exchange } from '../pipeline/exchange.ts'
import { firewallsOf } from './main-logs.ts'

/** What is written of each exchange, for one configuration. */
export interface RequestLogs {
  readonly observers: Array<(x: Exchange) => void>
  readonly audit: AuditLog | undefined
}

/** @param open Gives where the lines of a log go; throws when it cannot be opened. */
export function requestLogs (config: SentinelConfig, instance: string, open: (options: LogFileOptions) => LineSink): RequestLogs {
  const { accessLog: access, errorLog: errors, auditLog: audited } = config.observability
  const observers: Array<(x: Exchange) => void> = []
  if (access.enabled) {
    const { file, bufferSize, ...options } = access
    const sink = open({ log: 'access-log', to: file, gatherBytes: bufferSize })
    // What a schema finds and lets pass is seen nowhere else.
    const attributes = [...options.attributes, 'schema.violations']
    observers.push(accessLog({ ...options, attributes, instance, factOf }, (line) => void sink.write(line)))
  }
  if (errors?.enabled === true) {
    const sink = open({ log: 'error-log', to: errors.file, gatherBytes: errors.bufferSize })
    observers.push(errorLog(errors.level, (line) => void sink.write(line)).observe)
  }
  if (audited?.enabled !== true) return { observers, audit: undefined }
  const sink = open({ log: 'audit-log', to: audited.file, gatherBytes: audited.bufferSize })
  const audit = auditLog({ ...audited, firewalls: firewallsOf(config) }, (line) => void sink.write(line))
  observers.push(audit.observe)
  return { observers, audit }
}
