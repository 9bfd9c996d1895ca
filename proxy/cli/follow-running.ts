import { setTimeout as sleep } from 'node:timers/promises'
import { printable } from '../observe/quote.ts'
import { placesOf, sayUnanswered } from './ask-running.ts'
import type { OptionValues, Shell } from './command.ts'

/** An upgrade puts another process in the place of the one that was asked, and a restart takes a moment. */
const comesBackMs = 10_000
const askAgainMs = 200

export interface FollowedLines {
  readonly path: '/tail' | '/record'
  readonly body: object
  /** True for the line that says that more will come. */
  readonly onLine: (line: string) => boolean
  /** Enough was seen: the exit code is 0 then. */
  readonly signal?: AbortSignal
}

/**
 * Asks a running proxy for lines without end, and again when another process takes its place; for as long as the old one has something to finish, both.
 * Resolves with the exit code when nobody answers; why has been said then.
 */
export async function followRunning (command: string, shell: Shell, options: OptionValues, { path, body, onLine, signal }: FollowedLines): Promise<number> {
  const { follow, ControlError, successorLine } = await import('../control/index.ts')
  let begun = false
  const following: Array<Promise<number>> = []
  const followOne = async (): Promise<number> => {
    for (let triedSinceMs = performance.now(), isFollowed = false; ;) {
      const places = await placesOf(command, shell, options)
      if (places === undefined) return 2
      const take = (line: string): void => {
        triedSinceMs = performance.now()
        if (line !== successorLine) begun = onLine(line) || begun
        else if (!isFollowed) {
          isFollowed = true
          following.push(followOne())
        }
      }
      try {
        const { status, text } = await follow(places, { path, body, onLine: take, ...signal === undefined ? {} : { signal } })
        if (signal?.aborted === true || isFollowed) return 0
        if (status === 200) triedSinceMs = performance.now()
        // Who goes, and who comes in its place, answers before and after it has something to show.
        else if (status !== 503 || !begun || performance.now() - triedSinceMs > comesBackMs) return refused(command, shell, text)
      } catch (error) {
        if (!(error instanceof ControlError)) throw error
        if (isFollowed) return 0
        if (!begun || error.code === 'NOT_ALLOWED' || performance.now() - triedSinceMs > comesBackMs) {
          sayUnanswered(command, shell, options, error)
          return 2
        }
      }
      await sleep(askAgainMs, undefined, signal === undefined ? {} : { signal }).catch(() => {})
      if (signal?.aborted === true) return 0
    }
  }
  following.push(followOne())
  // More may come meanwhile.
  let code = 0
  for (const one of following) code = Math.max(code, await one)
  return code
}

function refused (command: string, shell: Shell, text: string): number {
  let said = text
  try {
    said = String((JSON.parse(text) as { error?: unknown }).error)
  } catch { /* as it came */ }
  shell.err(`sentinel ${command}: ${printable(said)}\n`)
  return 2
}
