import { readFileSync } from 'node:fs'
import type { SentinelConfig } from '../../config/sentinel/index.ts'
import type { Log } from '../observe/log.ts'

/** Descriptors that one process may have; `undefined` where nobody says, as outside Linux. */
function mostDescriptors (): number | undefined {
  try {
    const most = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
    return most === undefined ? undefined : Number(most)
  } catch {
    return undefined
  }
}

/** Each connection needs one: where the system gives fewer than the configuration promises, the first crowd finds out. */
export function warnOfFewDescriptors ({ limits, system }: Pick<SentinelConfig, 'limits' | 'system'>, log: Log): void {
  const most = mostDescriptors()
  const connections = Math.min(limits.maxTotalConnections, system.maxConnections ?? Infinity)
  if (most === undefined || most >= connections) return
  log.warn(`${connections} connections may come ('max-total-connections'), and this process may open ${most} files: raise 'ulimit -n' (LimitNOFILE of a unit), or lower the setting`, { event: 'few-descriptors', most, connections })
}
