import { AgentFailure, refuse, type ConfigRefused, type Log } from 'sentinel/sdk'
import { Deployment } from './deployment.ts'
import { grantedEnv, granting } from './grants.ts'
import { digestOf, loadScript, ScriptRefused, type ScriptText } from './script-file.ts'
import type { Settings } from './settings.ts'
import { watchFile } from './watch.ts'

/** A version of the script under one configuration, running. */
export interface Deployed {
  /** The same for the same script under the same configuration. */
  readonly key: string
  readonly file: string
  readonly settings: Settings
  readonly deployment: Deployment
}

/** How long something that was only judged waits to be wanted. */
const judgedMs = 60_000
/** Lines that a script writes while it is judged are kept until there is a log for them. */
const mostEarlyLines = 200
const linesPerSecond = 100

/** What is in use, and what may come after it. */
export class Desk {
  readonly #env: Readonly<Record<string, string | undefined>>
  #current: Deployed | undefined
  readonly #judged = new Map<string, Promise<Deployed>>()
  #watch: { stop (): void } | undefined
  #log: Log | undefined
  #early: (readonly [level: string, text: string])[] = []

  constructor (env: Readonly<Record<string, string | undefined>>) {
    this.#env = env
  }

  get current (): Deployed {
    if (this.#current === undefined) throw new AgentFailure('not_configured', 'there is no script yet')
    return this.#current
  }

  /** Reads, compiles and starts the script beside what runs. Rejects with `ConfigRefused`. */
  async prepare (settings: Settings): Promise<Deployed> {
    const { file } = settings.script
    if (file === undefined) throw refuse('script', 'there is no script', 'write script "/path/of/script.js" beside the type of the agent')
    try {
      return await this.#deployed(settings, file)
    } catch (error) {
      throw refusal(error)
    }
  }

  /** Makes it what is in use. What the one before has begun it also ends. */
  adopt (deployed: Deployed, log: Log): void {
    this.#log = log
    for (const [level, text] of this.#early.splice(0)) this.#write(level, text, deployed.file)
    this.#judged.delete(deployed.key)
    const before = this.#current
    if (before === deployed) return
    this.#current = deployed
    before?.deployment.retire()
    this.#watch?.stop()
    this.#watch = watchFile(deployed.file, () => void this.#changed())
  }

  async #deployed (settings: Settings, file: string): Promise<Deployed> {
    const script = await loadScript(file)
    const { script: _place, settings: own, ...limits } = settings
    const key = digestOf(JSON.stringify([script.file, script.digest, limits, own?.json ?? {}]))
    if (this.#current?.key === key) return this.#current
    const known = this.#judged.get(key)
    if (known !== undefined) return known
    const starting = this.#start(settings, script, key)
    this.#judged.set(key, starting)
    starting.then((deployed) => setTimeout(() => {
      if (this.#judged.delete(key)) deployed.deployment.close()
    }, judgedMs).unref(), () => this.#judged.delete(key))
    return starting
  }

  async #start (settings: Settings, { file, source }: ScriptText, key: string): Promise<Deployed> {
    const { timeout, memory, workers, queue, allow, settings: own } = settings
    const words = JSON.stringify({ config: own?.json ?? {}, env: grantedEnv(allow, this.#env) })
    const deployment = new Deployment({
      boot: { file, source, words, linesPerSecond },
      timeZone: this.#env['TZ'],
      timeoutMs: timeout, memoryBytes: memory, workers, queue,
      onLine: (level, text) => this.#write(level, text, file),
      onAsk: granting(allow),
    })
    await deployment.start()
    if (!deployment.hasAny) {
      deployment.retire()
      throw new ScriptRefused(`${file}: it has none of the functions onRequest, onRequestBody, onResponse, onResponseBody and onWebSocketMessage`)
    }
    return { key, file, settings, deployment }
  }

  /** The file is another one. One that cannot be run changes nothing. */
  async #changed (): Promise<void> {
    const { settings, file, key } = this.current
    try {
      const next = await this.#deployed(settings, file)
      if (this.#current?.key !== key || next.key === key) return
      this.adopt(next, this.#log!)
      this.#log?.info({ event: 'script-loaded', script: file }, 'the script has changed: the new one is in use')
    } catch (error) {
      this.#log?.error({ event: 'script-refused', script: file }, `the script has changed and cannot be run, the one before stays in use: ${messageOf(error)}`)
    }
  }

  #write (level: string, text: string, script: string): void {
    if (this.#log === undefined) {
      if (this.#early.length < mostEarlyLines) this.#early.push([level, text])
      return
    }
    const write = level === 'error' || level === 'warn' || level === 'debug' ? this.#log[level] : this.#log.info
    write({ script }, text)
  }

  /** For a process that ends: no worker may outlive it. */
  close (): void {
    this.#current?.deployment.close()
    for (const judged of this.#judged.values()) void judged.then(({ deployment }) => deployment.close(), () => {})
  }
}

function refusal (error: unknown): ConfigRefused {
  return refuse('script', messageOf(error))
}

function messageOf (error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
