import type { ListenerEvent } from '../listeners/index.ts'
import type { Log } from '../observe/log.ts'

const linesPerSecond = 20

/**
 * Logs what happens at the door of a listener. Whoever floods it must not make the log the bottleneck: of one second so many lines are
 * written, and how many more there were of which kind.
 */
export function listenerLog (log: Log): (event: Pick<ListenerEvent, 'code' | 'detail' | 'peer'>) => void {
  const more = new Map<string, number>()
  let lines = 0
  let timer: NodeJS.Timeout | undefined
  const tell = (): void => {
    timer = undefined
    lines = 0
    for (const [code, count] of more) log.info(`and ${count} more of this kind within a second`, { code, count })
    more.clear()
  }
  return ({ code, detail, peer }) => {
    timer ??= setTimeout(tell, 1_000).unref()
    if (++lines <= linesPerSecond) log.info(detail, { code, peer })
    else more.set(code, (more.get(code) ?? 0) + 1)
  }
}
