import { AgentSession } from './session.ts'
import type { AgentTarget } from './settings.ts'

/** Between attempts to connect. */
const againMs = 1_000

/**
 * Finds out whether an agent that nobody hears of is still alive: whoever serves HTTP/2 says something as soon as a connection is there (RFC 9113 section 3.4),
 * and the connections of a process that is stopped, or in a loop without end, are made by the system alone. Calls `onSilent`, once, when nothing came
 * for `silentMs` milliseconds; whatever comes ends the watch. One that does not listen is not silent, it is tried again. Gives what ends the watch.
 */
export function watchLife (
  target: AgentTarget, silentMs: number, { onHeard, onSilent }: { readonly onHeard: () => void, readonly onSilent: () => void },
): () => void {
  let session: AgentSession
  let timer: NodeJS.Timeout | undefined
  let isOver = false
  const end = (): void => {
    isOver = true
    clearTimeout(timer)
    session.end()
  }
  const settle = (tell: () => void): void => {
    if (isOver) return
    end()
    tell()
  }
  const connect = (): void => {
    session = new AgentSession(target, {
      onConnect () {
        // When this process was held up itself, what waits to be read comes first.
        timer = setTimeout(() => setImmediate(settle, onSilent), silentMs).unref()
      },
      onHeard: () => settle(onHeard),
      onGoAway () {},
      onClosed () {
        clearTimeout(timer)
        if (!isOver) timer = setTimeout(connect, againMs).unref()
      },
    })
  }
  connect()
  return end
}
