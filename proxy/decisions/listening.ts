import { CallEnded, openStream, saying, unimplemented } from './grpc-stream.ts'
import type { AgentSession } from './session.ts'

/** Before a call that has ended is made again: doubled each time that nothing was said in it. */
const firstPauseMs = 1_000
const longestPauseMs = 30_000

/** Calls that must find room beside this one: the one for all exchanges, and a short one now and then. */
const otherCalls = 2

export interface ListeningHooks {
  /** Throwing ends the call, which is made again later. */
  onMessage (message: Buffer): void
  /** The call has ended. `known`: the agent has such a call, and it is made again for as long as the connection lasts. */
  onEnd (known: boolean): void
}

/** A call in which the agent says something whenever it likes. One that takes few calls at a time is asked for no such thing. */
export function keepListening (session: AgentSession, path: string, request: Buffer, maxMessageBytes: number, hooks: ListeningHooks): void {
  let pauseMs = firstPauseMs
  const call = (): void => {
    if (session.leaving) return
    if (session.room <= otherCalls) return hooks.onEnd(false)
    openStream(session, path, maxMessageBytes, saying(request), {
      onMessage (message) {
        hooks.onMessage(message)
        pauseMs = firstPauseMs
      },
      onEnd (fault) {
        const known = !(fault instanceof CallEnded && fault.status === unimplemented)
        hooks.onEnd(known)
        if (!known || session.leaving) return
        setTimeout(call, pauseMs).unref()
        pauseMs = Math.min(pauseMs * 2, longestPauseMs)
      },
    })
  }
  call()
}
