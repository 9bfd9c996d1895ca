import type { Loaded, SentinelConfig } from '../../config/sentinel/index.ts'
import { makePlace, openControl, surroundingsOf, type Control, type Operations, type ReloadOutcome, type UpgradeOutcome } from '../control/index.ts'
import { toldPurges } from './told-purges.ts'
import type { RootLog } from '../observe/log.ts'
import { accountFor, become, giveFile, giveOwn, openNotifier, openPidFile, sayReady, watchdogMs, type Account, type PidFile } from '../service/index.ts'
import { ConfigWatch } from './config-watch.ts'
import type { Proxy } from './proxy.ts'
import type { LoadedWhole } from './reload-plan.ts'

export interface ServiceOptions {
  readonly file: string
  /** For those that are started from here: it changes when this process becomes another user. */
  readonly env: Record<string, string | undefined>
  readonly log: RootLog
  /** Another process has handed over to this one, or is about to: what it holds by name is taken from it. */
  readonly succeeds: boolean
  /** Asked for by `sentinel stop`; resolves when all is over but the process itself. */
  readonly stop: (now: boolean) => Promise<void>
  readonly upgrade?: (() => Promise<UpgradeOutcome>) | undefined
}

/** What makes of a proxy a program that an operator and a service manager can deal with. */
export class Service {
  readonly #options: ServiceOptions
  readonly #log: RootLog
  readonly #notifier: ReturnType<typeof openNotifier>
  readonly #watch: ConfigWatch
  #proxy: Proxy | undefined
  #pidFile: PidFile | undefined
  #account: Account | undefined
  #control: Control | undefined
  #watchdog: NodeJS.Timeout | undefined

  constructor (options: ServiceOptions) {
    const { file, env, log } = options
    this.#options = options
    this.#log = log
    this.#notifier = openNotifier({ env, onTrouble: (why) => log.warn(`the service manager cannot be told how this process does: ${why}`, { event: 'notify-failed' }) })
    this.#watch = new ConfigWatch({ file, env, log: log.child({ component: 'auto-reload' }), reload: () => this.reload() })
  }

  /** Throws a sentence for the operator when what the configuration wants of the system cannot be. Nothing has been opened then. */
  check ({ system: { user, group } }: SentinelConfig): Account | undefined {
    return user === undefined ? undefined : accountFor(user, group)
  }

  /** Takes what root alone can take, then becomes whom the configuration names. What cannot be read as that user fails now, and not at the first reload. */
  readonly bound = async (config: SentinelConfig, ownFolder: string): Promise<void> => {
    const account = this.check(config)
    const { system: { pidFile } } = config
    const succeeds = this.#options.succeeds
    if (pidFile !== undefined) this.#pidFile = openPidFile(pidFile, { succeeds, ...account === undefined ? {} : { owner: account } })
    this.#account = account
    // The process before this one keeps its place until this one serves: it may yet have to go on.
    if (!succeeds) await this.#openControl(config)
    if (account === undefined) return
    if (process.getuid?.() === 0) {
      giveOwn(ownFolder, account)
      for (const socket of unixSockets(config)) giveOwn(socket, account)
      for (const file of appendedFiles(config)) giveFile(file, account)
    }
    become(account, this.#options.env)
    this.#log.info(`requests are served as ${account.name}`, { event: 'became', user: account.name, uid: account.uid, gid: account.gid })
  }

  /** What was read last is what is watched. */
  readonly read = (loaded: Loaded): void => {
    this.#watch.follow(loaded)
  }

  /** The proxy serves: whoever waits for that hears of it. */
  async serving (proxy: Proxy, loaded: LoadedWhole): Promise<void> {
    this.#proxy = proxy
    if (this.#options.succeeds) await this.#openControl(loaded.config).catch((error: unknown) => this.#log.error('commands will not find this proxy', { event: 'control-off', error }))
    this.#pidFile?.write()
    this.#watch.follow(loaded)
    const told = this.#notifier.serves(statusLine(proxy))
    // The process before this one ends next: it must not be the one that counts then.
    if (this.#options.succeeds) await told
    const beatMs = watchdogMs(this.#options.env)
    // A timer of the event loop that requests are served by: when it hangs, so does this.
    if (beatMs !== undefined) this.#watchdog = setInterval(() => { if (proxy.isWell) this.#notifier.alive() }, beatMs).unref()
    sayReady()
  }

  async reload (): Promise<ReloadOutcome> {
    const proxy = this.#proxy
    if (proxy === undefined) {
      this.#log.warn('not reloaded: the proxy is starting or stopping', { event: 'reload-ignored' })
      return { ok: false, error: 'the proxy is starting or stopping', problems: [] }
    }
    this.#notifier.reloading()
    const outcome = await proxy.reload()
    this.#notifier.ready(outcome.ok ? statusLine(proxy) : `${statusLine(proxy)}; the last reload failed: ${outcome.error}`)
    return outcome
  }

  /** A successor came to nothing: what it may have taken by name belongs to this process again. */
  readonly takeBack = async (): Promise<void> => {
    const proxy = this.#proxy
    if (proxy === undefined) return
    try {
      this.#pidFile?.takeBack()
      if (this.#control !== undefined) {
        placeOrWhy(this.#options.file, this.#options.env, this.#account)
        await this.#control.takeBack()
      }
    } catch (error) {
      this.#log.error('commands may not find this proxy any more', { event: 'control-off', error })
    }
    void this.#notifier.serves(statusLine(proxy))
  }

  /** Nothing is reloaded any more. `sentinel status` still tells how it goes. With a successor, it is that one whom the service manager listens to. */
  stopping (handedOver = false): void {
    this.#watch.close()
    if (handedOver) {
      clearInterval(this.#watchdog)
      this.#control?.handedOver()
    } else this.#notifier.stopping()
  }

  /** What goes by name is removed, unless a successor has it. */
  async close (): Promise<void> {
    clearInterval(this.#watchdog)
    this.#watch.close()
    this.#pidFile?.close()
    await this.#control?.close()
    await this.#notifier.close()
  }

  async #openControl ({ system: { controlSocket } }: SentinelConfig): Promise<void> {
    if (controlSocket === false) return
    const account = this.#account
    const { file, env, log, succeeds } = this.#options
    const own = log.child({ component: 'control' })
    const place = placeOrWhy(file, env, account)
    if (controlSocket === undefined && 'why' in place) {
      return own.warn(`${place.why}: commands such as sentinel reload will not find this proxy`, { event: 'control-off' })
    }
    const found = 'path' in place ? { alsoAt: place.path } : {}
    const owner = account === undefined || process.getuid?.() !== 0 ? {} : { owner: account }
    this.#control = await openControl({ path: controlSocket ?? found.alsoAt!, ...found, ...owner, succeeds, log: own, operations: () => this.#operations() })
  }

  #operations (): Operations | undefined {
    const proxy = this.#proxy
    if (proxy === undefined) return undefined
    const { stop, upgrade } = this.#options
    return {
      status: () => proxy.status(),
      reload: () => this.reload(),
      plan: () => proxy.plan(),
      drain: (upstream, target, on) => proxy.drain(upstream, target, on),
      agents: () => proxy.agents(),
      tail: (filter, take) => proxy.onlookers.begin(filter, take),
      answers: toldPurges(proxy.answers, this.#log),
      stop,
      upgrade: upgrade ?? (() => Promise.reject(new Error('this Sentinel cannot hand over its sockets'))),
    }
  }
}

function placeOrWhy (file: string, env: ServiceOptions['env'], account: Account | undefined): { readonly path: string } | { readonly why: string } {
  try {
    const path = makePlace(file, surroundingsOf(env))
    if (account !== undefined && process.getuid?.() === 0) giveOwn(path.slice(0, path.lastIndexOf('/')), account)
    return { path }
  } catch (error) {
    return { why: error instanceof Error ? error.message : String(error) }
  }
}

/** Those to which the configuration gives no owner. */
function unixSockets ({ listeners }: SentinelConfig): string[] {
  return listeners.flatMap(({ address: { path }, socketOwner }) => path === undefined || socketOwner !== undefined ? [] : [path])
}

function appendedFiles ({ observability: { accessLog, errorLog, auditLog, logging }, evidence }: SentinelConfig): string[] {
  const logs = [accessLog, errorLog, auditLog].flatMap((log) => log?.enabled === true && !['stdout', 'stderr'].includes(log.file) ? [log.file] : [])
  return [...logs, ...logging.file === undefined ? [] : [logging.file], ...evidence === undefined ? [] : [evidence.file]]
}

function statusLine (proxy: Proxy): string {
  const { listeners, config } = proxy.status()
  return `serving on ${listeners.map(({ address }) => address).join(', ')}; configuration ${config.version}`
}
