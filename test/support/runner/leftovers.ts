import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

/** A process that a test file started and did not end. */
export interface Leftover {
  readonly pid: number
  readonly command: string
}

/** Set for the process of a test file and inherited by what it starts: finds also those that moved to a session of their own. */
export const runMark = 'SENTINEL_TEST_RUN'

/** What is still there once it had `graceMs` to go: an agent may outlive its proxy by the time it takes to see its stdin close. */
export async function leftovers (session: number, mark: string, graceMs: number): Promise<Leftover[]> {
  const until = performance.now() + graceMs
  for (;;) {
    const found = findProcesses(session, mark)
    if (found.length === 0 || performance.now() > until) return found
    await delay(50)
  }
}

/** Processes of the session and processes that carry the mark. Linux only; elsewhere nothing is found. */
export function findProcesses (session: number, mark: string): Leftover[] {
  const found: Leftover[] = []
  for (const entry of listProc()) {
    const pid = Number(entry)
    if (!Number.isInteger(pid) || pid === process.pid) continue
    const stat = read(`/proc/${pid}/stat`)
    // After the command's name in parentheses: state, parent, process group, session.
    const [state, , , sessionOf] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (stat === '' || state === 'Z') continue
    if (Number(sessionOf) !== session && !read(`/proc/${pid}/environ`).split('\0').includes(`${runMark}=${mark}`)) continue
    found.push({ pid, command: read(`/proc/${pid}/cmdline`).split('\0').join(' ').trim() })
  }
  return found
}

export function kill (found: readonly Leftover[]): void {
  for (const { pid } of found) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It went by itself meanwhile.
    }
  }
}

function listProc (): string[] {
  try {
    return readdirSync('/proc')
  } catch {
    return []
  }
}

function read (file: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return ''
  }
}
