import { dirname } from 'node:path'
import type { SentinelConfig } from '../../config/sentinel/index.ts'
import { settleCollector } from '../lifecycle/collector.ts'
import type { Proxy } from '../lifecycle/proxy.ts'
import type { Command, Shell } from './command.ts'
import { configFile, configOption } from './config-file.ts'
import { placeShower } from './places.ts'

/** The parts are imported when they are needed: `sentinel version` and the help do not wait for a proxy to load. */
export const run: Command = {
  name: 'run',
  doc: 'Run the proxy in the foreground. SIGHUP reloads, SIGUSR1 reopens log files, SIGTERM and Ctrl-C stop it, SIGQUIT without waiting for open requests.',
  options: { config: configOption, quiet: { type: 'boolean', short: 'q', doc: 'No start screen.' } },
  async run (shell, options) {
    const file = configFile('run', shell, options)
    if (file === undefined) return 1
    const started = settleCollector()
    const { loadConfig, printProblems } = await import('../../config/sentinel/index.ts')
    const { config, problems, sources } = await loadConfig(file, { env: shell.env })
    if (config === undefined) {
      shell.err(printProblems(problems, sources, { colour: shell.colour }))
      shell.err(`sentinel run: ${file} has errors; nothing was started.\n`)
      return 1
    }
    const { Proxy } = await import('../lifecycle/proxy.ts')
    const { StartError } = await import('../lifecycle/start-error.ts')
    const { createLog } = await import('../observe/log.ts')
    const { level, format } = config.observability.logging
    const log = createLog({ level: level === 'trace' ? 'debug' : level === 'fatal' ? 'error' : level, format })
    process.on('uncaughtException', (error) => {
      // Nobody knows what state the data path is in: end at once. Agents see their input close, and a service manager starts anew.
      log.error('a bug ended the proxy', { event: 'crashed', code: 'INTERNAL', error })
      log.flushSync()
      process.exit(2)
    })
    const proxy = new Proxy({ file, env: shell.env, log })
    try {
      const stopped = stopSignal(proxy)
      await proxy.start(config)
      started()
      if (options['quiet'] !== true) await sayStarted(shell, proxy, config, problems)
      const listeners = proxy.status().listeners.map(({ id, address }) => ({ id, address }))
      log.info('serving', { event: 'ready', listeners, metrics: proxy.metricsAddress ?? null, pid: process.pid })
      const signal = await stopped
      log.info(signal === 'SIGQUIT' ? `${signal}: cutting off open requests` : `${signal}: finishing open requests`, { event: 'stopping' })
      await proxy.stop(signal === 'SIGQUIT')
      log.info('stopped', { event: 'stopped' })
      return 0
    } catch (error) {
      if (!(error instanceof Error)) throw error
      log.error(error.message, { event: 'start-failed', code: 'START_FAILED', ...error instanceof StartError ? {} : { error } })
      return 2
    } finally {
      await log.close()
    }
  },
}

interface Note {
  readonly code: string
  readonly message: string
  readonly position: { readonly file: string, readonly line: number }
}

async function sayStarted (shell: Shell, proxy: Proxy, config: SentinelConfig, problems: readonly Note[]): Promise<void> {
  const { startScreen } = await import('../lifecycle/start-screen.ts')
  const status = proxy.status()
  const place = placeShower(dirname(status.config.file))
  const notes = problems.filter(({ code }) => code !== 'CONFIG_OTHER_SPELLING').map(({ message, position }) =>
    `${position.file === status.config.file ? `line ${position.line}` : place(position)}: ${message}`)
  shell.out(startScreen(status, { config, pid: process.pid, metrics: proxy.metricsAddress, notes }))
}

/** Resolves with the signal that asks for the end. A second one ends the process at once; SIGHUP and SIGUSR1 are served meanwhile. */
function stopSignal (proxy: Proxy): Promise<NodeJS.Signals> {
  process.on('SIGHUP', () => void proxy.reload())
  process.on('SIGUSR1', () => void proxy.reopenLogs())
  return new Promise((resolve) => {
    let asked = false
    const ask = (signal: NodeJS.Signals): void => {
      if (asked) process.exit(1)
      asked = true
      resolve(signal)
    }
    process.on('SIGQUIT', (signal) => {
      void proxy.stop(true)
      asked = true
      resolve(signal)
    })
    process.on('SIGTERM', ask)
    process.on('SIGINT', ask)
  })
}
