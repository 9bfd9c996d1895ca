import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Started } from '../processes.ts'
import { functionTimes, type CpuProfile } from './cpu-profile.ts'
import { profileText } from './print.ts'

export interface Profiling {
  /** Starts the program with these flags of Node. */
  start (flags: readonly string[]): Promise<Started & { readonly port: number }>
  check (port: number): Promise<void>
  /** Resolves with how many were answered. */
  load (port: number, seconds: number): Promise<number>
  readonly seconds: number
  readonly folder: string
}

/** Shorter than any callback that matters; longer than what sampling costs. */
const intervalUs = 200
const warmUpSeconds = 5

/** Runs a program under `node --cpu-prof` and tells where the time of the measured seconds went, without start and warming up. */
export async function profile ({ start, check, load, seconds, folder }: Profiling): Promise<string> {
  const startedAt = performance.now()
  const running = await start(['--cpu-prof', `--cpu-prof-interval=${intervalUs}`, `--cpu-prof-dir=${folder}`])
  let [fromMs, untilMs, requests] = [0, 0, 0]
  try {
    await check(running.port)
    await load(running.port, warmUpSeconds)
    fromMs = performance.now() - startedAt
    requests = await load(running.port, seconds)
    untilMs = performance.now() - startedAt
  } finally {
    await running.stop()
  }
  const file = readdirSync(folder).find((name) => name.endsWith('.cpuprofile'))
  if (file === undefined) throw new Error(`no profile was written: either it does not run in Node or it did not end by itself\n${running.output()}`)
  const recorded: CpuProfile = JSON.parse(readFileSync(join(folder, file), 'utf8'))
  return profileText(functionTimes(recorded, fromMs * 1000, untilMs * 1000), requests)
}
