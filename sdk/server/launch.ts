import { wantedWorkers, type Agent } from '../definition.ts'
import type { Log } from '../log.ts'
import { Program } from '../program.ts'
import { openStore } from '../store/open.ts'
import type { Endpoint } from './options.ts'
import { startServer, type RunningServer } from './server.ts'

export interface LaunchOptions {
  readonly endpoint: Endpoint
  readonly log: Log
  readonly store: string
  readonly workers: number | undefined
}

/** An agent with everything it runs with, served. What was opened is closed again when it cannot be. */
export async function launch (agent: Agent, options: LaunchOptions): Promise<{ readonly server: RunningServer, readonly program: Program }> {
  const { endpoint, log } = options
  const store = await openStore(options.store, agent.definition.name, log)
  const workers = wantedWorkers(agent, options.workers)
  let program: Program | undefined
  try {
    if (workers === undefined) {
      program = new Program(agent, log, { store })
      return { server: await startServer(program, endpoint), program }
    }
    const pool = await (await loadWorkers())(agent, workers, store, log)
    program = new Program(agent, log, { store, configurations: pool.configurations })
    program.attach(pool)
    pool.reportTo(program.vitals)
    const running = program
    return { server: await startServer(program, endpoint, (send) => pool.openStream(running, send)), program }
  } catch (error) {
    await (program ?? store).close()
    throw error
  }
}

async function loadWorkers (): Promise<typeof import('../workers/pool.ts').startWorkers> {
  try {
    return (await import('../workers/pool.ts')).startWorkers
  } catch (error) {
    throw new Error('workers need the package piscina, which cannot be loaded here: npm install piscina', { cause: error })
  }
}
