import { pathToFileURL } from 'node:url'
import type { Agent } from '../definition.ts'
import { launch } from './launch.ts'
import { processLog, type ProcessLog } from './log.ts'
import { shareProcess } from './seats.ts'
import type { RunningServer } from './server.ts'

/**
 * The program of a process that several agents share. Their files are loaded one after the other; what each hands to `serve` is served on a socket of its
 * own. One that cannot be loaded leaves the others alone; an error that nobody catches, or a call of `process.exit`, ends all of them.
 */
interface Seat {
  readonly id: string
  readonly socket: string
  readonly file: string
}

const drainTimeoutMs = 10_000

const seats = JSON.parse(process.env['SENTINEL_HOSTED'] ?? '[]') as readonly Seat[] // Written by the proxy.
const logs: ProcessLog[] = []
const servers: RunningServer[] = []
const log = newLog({})
let taken: ((agent: Agent) => Promise<void>) | undefined

shareProcess({
  async serve (agent) {
    const serve = taken
    taken = undefined
    if (serve === undefined) throw new Error('a file of an agent calls serve() once')
    await serve(agent)
  },
})
endWithProxy()
for (const seat of seats) await fill(seat)

async function fill ({ id, socket, file }: Seat): Promise<void> {
  const own = newLog({ agent: id })
  try {
    let served = false
    taken = async (agent) => {
      served = true
      const { server } = await launch(agent, { endpoint: { kind: 'unix', path: socket }, log: own, store: process.env['SENTINEL_STORE'] ?? 'memory', workers: 0 })
      servers.push(server)
      own.info({ event: 'serving', version: agent.definition.version }, 'serving')
    }
    // Two agents may have the same file: each has it run for itself.
    await import(`${pathToFileURL(file).href}?agent=${encodeURIComponent(id)}`)
    if (!served) throw new Error(`${file} does not call serve()`)
  } catch (error) {
    own.error({ event: 'not-loaded', error }, 'the agent cannot be loaded')
  }
}

function newLog (base: Readonly<Record<string, unknown>>): ProcessLog {
  const made = processLog('info', base)
  logs.push(made)
  return made
}

function endWithProxy (): void {
  let draining = false
  process.on('SIGTERM', () => {
    if (draining) return leave(1)
    draining = true
    log.info('draining')
    void Promise.all(servers.map((server) => server.drain(drainTimeoutMs))).then(() => leave(0))
  })
  process.on('SIGINT', () => {})
  const crash = (error: unknown): void => {
    log.error({ error }, 'an error that nobody caught: all agents of this process end')
    leave(1)
  }
  process.on('uncaughtException', crash)
  process.on('unhandledRejection', crash)
  process.stdin.on('end', () => leave(0))
  process.stdin.on('error', () => leave(0))
  process.stdin.resume()
}

function leave (code: number): void {
  for (const server of servers) server.abandon()
  void Promise.all(logs.map((made) => made.flush())).then(() => process.exit(code))
}
