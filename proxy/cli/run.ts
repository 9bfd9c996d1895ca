import { dirname } from 'node:path'
import type { Loaded, SentinelConfig } from '../../config/sentinel/index.ts'
import type { UpgradeOutcome } from '../control/index.ts'
import { settleEngine } from '../lifecycle/engine.ts'
import { predecessorOf } from '../lifecycle/handover.ts'
import type { Proxy } from '../lifecycle/proxy.ts'
import type { Service } from '../lifecycle/service.ts'
import type { Command, Shell } from './command.ts'
import { configFile, configOption } from './config-file.ts'
import { placeShower } from './places.ts'

/** The parts are imported when they are needed: `sentinel version` and the help do not wait for a proxy to load. */
export const run: Command = {
  name: 'run',
  doc: 'Run the proxy in the foreground. SIGHUP reloads, SIGUSR1 reopens log files, SIGUSR2 hands the sockets to a new process of the program on disk, SIGTERM and Ctrl-C stop it, SIGQUIT without waiting for open requests.',
  options: { config: configOption, quiet: { type: 'boolean', short: 'q', doc: 'No start screen.' } },
  async run (shell, options) {
    const file = configFile('run', shell, options)
    if (file === undefined) return 1
    const started = settleEngine()
    const { loadConfig, printProblems } = await import('../../config/sentinel/index.ts')
    const loaded = await loadConfig(file, { env: shell.env })
    const { config, problems, sources } = loaded
    if (config === undefined) {
      shell.err(printProblems(problems, sources, { colour: shell.colour }))
      shell.err(`sentinel run: ${file} has errors; nothing was started.\n`)
      return 1
    }
    const { goToBackground, isInBackground } = await import('../service/index.ts')
    if (config.system.daemon && !isInBackground(shell.env)) return sayWent(shell, await goToBackground(process.argv.slice(1), shell.env))
    return serveUntilStopped(shell, { file, loaded: { ...loaded, config }, quiet: options['quiet'] === true, started })
  },
}

function sayWent (shell: Shell, { code, pid, why }: { readonly code: number, readonly pid: number | undefined, readonly why: string | undefined }): number {
  if (pid !== undefined) shell.out(`Sentinel serves in the background, as process ${pid}.\n`)
  else shell.err(`sentinel run: the process in the background ended with ${code}${why === undefined ? '' : `: ${why}`}\n`)
  return code
}

interface Told {
  readonly file: string
  readonly loaded: Loaded & { readonly config: SentinelConfig }
  readonly quiet: boolean
  /** Called once everything stands. */
  readonly started: () => void
}

async function serveUntilStopped (shell: Shell, { file, loaded, quiet, started }: Told): Promise<number> {
  const { config } = loaded
  const { Proxy } = await import('../lifecycle/proxy.ts')
  const { Service } = await import('../lifecycle/service.ts')
  const { StartError } = await import('../lifecycle/start-error.ts')
  const { AccountError, sayFailed, takeGivenSockets } = await import('../service/index.ts')
  const { createLog } = await import('../observe/log.ts')
  const { level, format } = config.observability.logging
  const log = createLog({ level: level === 'trace' ? 'debug' : level === 'fatal' ? 'error' : level, format })
  process.on('uncaughtException', (error) => {
    // Nobody knows what state the data path is in: end at once. Agents see their input close, and a service manager starts anew.
    log.error('a bug ended the proxy', { event: 'crashed', code: 'INTERNAL', error })
    log.flushSync()
    process.exit(2)
  })
  const end = endAsked(() => { void serving?.stop(true) })
  let serving: Proxy | undefined
  let serves = false
  const predecessor = predecessorOf(process.env)
  const { givenToListeners } = await import('../lifecycle/given-listeners.ts')
  const env = { ...shell.env }
  const upgrade = async (): Promise<UpgradeOutcome> => {
    if (serving === undefined) throw new Error('the proxy is starting')
    const outcome = await serving.upgrade(shell.cwd)
    end.handedOver(outcome.pid)
    return outcome
  }
  const service = new Service({ file, env, log, succeeds: predecessor !== undefined, stop: end.stop, upgrade })
  try {
    if (config.system.workingDirectory !== undefined) process.chdir(config.system.workingDirectory)
    service.check(config)
    const inherited = givenToListeners(config, takeGivenSockets(env), log)
    const proxy = serving = new Proxy({ file, env, log, inherited, predecessor, bound: service.bound, read: service.read, takeBack: service.takeBack })
    serveSignals(proxy, service, end)
    // The log says why when it does not come to that.
    process.on('SIGUSR2', () => { upgrade().catch(() => {}) })
    const takeOver = await proxy.start(config, loaded)
    serves = true
    started()
    if (!quiet) await sayStarted(shell, proxy, loaded)
    const listeners = proxy.status().listeners.map(({ id, address }) => ({ id, address }))
    log.info('serving', { event: 'ready', listeners, metrics: proxy.metricsAddress ?? null, pid: process.pid })
    await service.serving(proxy, loaded)
    takeOver()
    const { why, now, handedOver } = await end.asked
    log.info(`${why}: ${now ? 'cutting off open requests' : 'finishing open requests'}`, { event: 'stopping' })
    service.stopping(handedOver)
    await proxy.stop(now)
    log.info('stopped', { event: 'stopped' })
    return 0
  } catch (error) {
    // Nobody would end what serves already.
    if (serves) await serving?.stop(true)
    if (!(error instanceof Error)) throw error
    await predecessor?.failed(error.message)
    sayFailed(error.message)
    log.error(error.message, { event: 'start-failed', code: 'START_FAILED', ...error instanceof StartError || error instanceof AccountError ? {} : { error } })
    return 2
  } finally {
    end.over()
    await service.close()
    await log.close()
  }
}

async function sayStarted (shell: Shell, proxy: Proxy, { config, problems, sources }: Told['loaded']): Promise<void> {
  const { startScreen } = await import('../lifecycle/start-screen.ts')
  const { refusedSettings } = await import('../lifecycle/agent-configuration.ts')
  const status = proxy.status()
  const place = placeShower(dirname(status.config.file))
  const notes = problems.filter(({ code }) => code !== 'CONFIG_OTHER_SPELLING').map(({ message, position }) =>
    `${position.file === status.config.file ? `line ${position.line}` : place(position)}: ${message}`)
  shell.out(startScreen(status, { config, pid: process.pid, metrics: proxy.metricsAddress, notes }))
  const refused = refusedSettings(config, proxy.facts.agents)
  if (refused.length === 0) return
  const { printProblems } = await import('../../config/sentinel/index.ts')
  shell.out(printProblems(refused, sources, { colour: shell.colour }) + '\n')
}

interface Wish {
  readonly why: string
  readonly now: boolean
  /** Another process serves. */
  readonly handedOver: boolean
}

interface End {
  /** Resolves when somebody wants the end. */
  readonly asked: Promise<Wish>
  /** Asks for it, and resolves when it has come. */
  readonly stop: (now: boolean) => Promise<void>
  readonly signal: (signal: NodeJS.Signals) => void
  readonly handedOver: (successor: number) => void
  readonly over: () => void
}

/** A second signal that does not say how ends the process at once; `hurry` makes one that is asked to end now not wait for anybody. */
function endAsked (hurry: () => void): End {
  let ask!: (wish: Wish) => void
  let over!: () => void
  let isAsked = false
  let isWanted = false // By somebody, and not only because another process serves.
  const asked = new Promise<Wish>((resolve) => { ask = resolve })
  const ended = new Promise<void>((resolve) => { over = resolve })
  const want = (why: string, now: boolean, handedOver = false): void => {
    if (now && isAsked) hurry()
    isAsked = true
    isWanted ||= !handedOver
    ask({ why, now, handedOver })
  }
  return {
    asked,
    stop (now) {
      want('sentinel stop', now)
      return ended
    },
    signal (signal) {
      if (isWanted && signal !== 'SIGQUIT') process.exit(1)
      want(signal, signal === 'SIGQUIT')
    },
    handedOver: (successor) => want(`process ${successor} serves`, false, true),
    over,
  }
}

/** SIGHUP and SIGUSR1 are served meanwhile. */
function serveSignals (proxy: Proxy, service: Service, end: End): void {
  process.on('SIGHUP', () => void service.reload())
  process.on('SIGUSR1', () => void proxy.reopenLogs())
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const) process.on(signal, end.signal)
}
