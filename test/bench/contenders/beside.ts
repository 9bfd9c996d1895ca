import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fromDist } from '../../support/paths.ts'
import { start, type Running } from '../processes.ts'

const startingMs = 10_000

/** Starts a proxy with a program of ours (of `measured`) that it asks over a Unix socket. The program is on the core of the load, as agents are. */
export async function beside (folder: string, program: string, proxy: (socket: string) => Promise<Running>): Promise<Running> {
  const socket = join(folder, 'asked.sock')
  const asked = start([process.execPath, fromDist('test', 'bench', 'measured', `${program}.js`), socket], 'other', folder)
  try {
    for (const until = performance.now() + startingMs; !existsSync(socket); await delay(20)) {
      if (performance.now() > until) throw new Error(`nobody serves ${socket}\n${asked.output()}`)
    }
    const running = await proxy(socket)
    return {
      ...running,
      stop: async () => {
        await running.stop()
        await asked.stop()
      },
    }
  } catch (error) {
    await asked.stop()
    throw error
  }
}
