import { checkAgent } from '../check-definition.ts'
import type { Agent } from '../definition.ts'
import { Program } from '../program.ts'
import { settingsPage } from '../settings-page.ts'
import { isHosted } from '../workers/hosted.ts'
import { launch } from './launch.ts'
import { processLog, type ProcessLog } from './log.ts'
import { BadOptions, readOptions, usage, type ServeOptions } from './options.ts'
import { sharedProcess } from './seats.ts'
import type { RunningServer } from './server.ts'

/**
 * The whole main program of an agent: reads flags and environment, serves, drains on SIGTERM, ends the process. Resolves once the agent
 * is being served.
 */
export async function serve (agent: Agent): Promise<void> {
  checkAgent(agent)
  if (isHosted(agent)) return
  const shared = sharedProcess()
  if (shared !== undefined) return shared.serve(agent)
  const { name, version = '' } = agent.definition
  try {
    const command = readOptions(process.argv.slice(2), process.env)
    switch (command.kind) {
      case 'help': return print(`${name} ${version}\n${usage}`)
      case 'version': return print(`${name} ${version}\n`)
      case 'describe': return print(JSON.stringify(describe(agent), undefined, 2) + '\n')
      case 'docs': return print(settingsPage(agent))
      case 'serve': return await run(agent, command.options)
    }
  } catch (error) {
    if (!(error instanceof BadOptions)) throw error
    process.stderr.write(`${name}: ${error.message}\n${usage}`)
    process.exitCode = 2
  }
}

async function run (agent: Agent, options: ServeOptions): Promise<void> {
  const log = processLog(options.logLevel, { agent: options.agentId ?? agent.definition.name })
  let server: RunningServer
  try {
    server = (await launch(agent, { ...options, log })).server
  } catch (error) {
    log.error({ error }, 'cannot serve')
    return leave(1, log, undefined)
  }
  endWith(server, log, options)
  log.info({ event: 'serving', address: server.address, version: agent.definition.version }, 'serving')
}

/** Everything that ends the process. */
function endWith (server: RunningServer, log: ProcessLog, { drainTimeoutMs, managed }: ServeOptions): void {
  let draining = false
  const drain = (signal: string): void => {
    if (draining) return leave(1, log, server)
    draining = true
    log.info({ signal }, 'draining')
    void server.drain(drainTimeoutMs).then(() => {
      log.info({ event: 'stopped' }, 'stopped')
      leave(0, log, server)
    })
  }
  process.on('SIGTERM', drain)
  // Ctrl-C in a terminal reaches the proxy and its agents at once, but the proxy still needs them: it sends SIGTERM when it is through.
  process.on('SIGINT', managed ? () => {} : drain)
  const crash = (error: unknown): void => {
    log.error({ error }, 'an error that nobody caught')
    leave(1, log, server)
  }
  process.on('uncaughtException', crash)
  process.on('unhandledRejection', crash)
  process.on('exit', () => server.abandon())
  if (!managed) return
  // The proxy holds the other end; it closes when the proxy is gone, however it went.
  const orphaned = (): void => {
    log.warn('the proxy is gone')
    leave(0, log, server)
  }
  process.stdin.on('end', orphaned)
  process.stdin.on('error', orphaned)
  process.stdin.resume()
}

function leave (code: number, log: ProcessLog, server: RunningServer | undefined): void {
  server?.abandon()
  void log.flush().then(() => process.exit(code))
}

function describe (agent: Agent): object {
  const silent = { debug () {}, info () {}, warn () {}, error () {} }
  const { configSchema, ...description } = new Program(agent, silent).describe({ protocolVersions: [1], proxy: '', agentId: '' })
  return { ...description, configSchema: JSON.parse(configSchema) as unknown }
}

function print (text: string): void {
  process.stdout.write(text)
}
