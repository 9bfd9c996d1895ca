import { AgentFailure, refuse, type ConfigRefused, type Log } from 'sentinel/sdk'
import { Deployment } from './deployment.ts'
import { grantedEnv, granting } from './grants.ts'
import { digestOf, loadScript, ScriptRefused, type ScriptText } from './script-file.ts'
import type { Settings } from './settings.ts'
import { stampOf, watchFile } from './watch.ts'

/** A version of the script under one configuration, running. */
export interface Deployed {
  /** The same for the same script under the same configuration. */
  readonly key: string
  readonly file: string
  readonly settings: Settings
  readonly deployment: Deployment
  /** Of its file before it was read: whatever was saved since has another one. */
  readonly stamp: string
}

/** A version that is being started, or is there and waits to be wanted. */
interface Judged {
  readonly key: string
  readonly deployment: Deployment
  readonly ready: Promise<Deployed>
  /** The proxy has asked for it, and may want it. */
  asked: boolean
  /** Rings when nobody has wanted it for long enough. */
  expiry?: NodeJS.Timeout
}

/** How long something that was only judged waits to be wanted. */
const judgedMs = 60_000
/** Lines that a script writes while it is judged are kept until there is a log for them. */
const mostEarlyLines = 200
const linesPerSecond = 100

/** What is in use, and what may come after it. */
export class Desk {
  readonly #env: Readonly<Record<string, string | undefined>>
  readonly #beginAnew: () => void
  #current: Deployed | undefined
  readonly #judged = new Map<string, Judged>()
  #changes = 0
  /** What the last change of the file has begun. */
  #begun: Judged | undefined
  #watch: { stop (): void } | undefined
  #log: Log | undefined
  #early: (readonly [level: string, text: string])[] = []

  /** `beginAnew`: the first script could not be run, and now it can. The proxy hands over a configuration again when it connects. */
  constructor (env: Readonly<Record<string, string | undefined>>, beginAnew: () => void) {
    this.#env = env
    this.#beginAnew = beginAnew
  }

  get current (): Deployed {
    if (this.#current === undefined) throw new AgentFailure('not_configured', 'there is no script yet')
    return this.#current
  }

  /** Reads, compiles and starts the script beside what runs. Rejects with `ConfigRefused`. */
  async prepare (settings: Settings): Promise<Deployed> {
    const { file } = settings.script
    if (file === undefined) throw refuse('script', 'there is no script', 'write script "/path/of/script.js" beside the type of the agent')
    const stamp = stampOf(file)
    try {
      const judged = this.#judge(settings, await loadScript(file), stamp)
      if ('settings' in judged) return judged
      judged.asked = true
      const deployed = await judged.ready
      judged.expiry?.refresh()
      return deployed
    } catch (error) {
      if (this.#current === undefined) this.#awaitAnother(settings, file, stamp)
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
    this.#watch = watchFile(deployed.file, deployed.stamp, () => void this.#changed())
  }

  /** What is in use, when that is it; otherwise it is started, or was already. */
  #judge (settings: Settings, script: ScriptText, stamp: string): Deployed | Judged {
    const { script: _place, settings: own, ...limits } = settings
    const key = digestOf(JSON.stringify([script.file, script.digest, limits, own?.json ?? {}]))
    if (this.#current?.key === key) return this.#current
    const known = this.#judged.get(key)
    if (known !== undefined) return known
    const deployment = this.#deploymentOf(settings, script)
    const ready = started(deployment, script.file).then(() => ({ key, file: script.file, settings, deployment, stamp }))
    const judged: Judged = { key, deployment, ready, asked: false }
    this.#judged.set(key, judged)
    ready.then(() => { judged.expiry = setTimeout(() => this.#drop(judged), judgedMs).unref() }, () => this.#drop(judged))
    return judged
  }

  /** Unless it has come into use meanwhile. */
  #drop (judged: Judged): void {
    if (this.#judged.get(judged.key) !== judged) return
    this.#judged.delete(judged.key)
    clearTimeout(judged.expiry)
    judged.deployment.close()
  }

  #deploymentOf (settings: Settings, { file, source }: ScriptText): Deployment {
    const { timeout, memory, workers, queue, allow, settings: own } = settings
    const words = JSON.stringify({ config: own?.json ?? {}, env: grantedEnv(allow, this.#env) })
    return new Deployment({
      boot: { file, source, words, linesPerSecond },
      timeZone: this.#env['TZ'],
      timeoutMs: timeout, memoryBytes: memory, workers, queue,
      onLine: (level, text) => this.#write(level, text, file),
      onAsk: granting(allow),
    })
  }

  /** Nothing is in use: as soon as the file holds something that can be run, it shall be. */
  #awaitAnother (settings: Settings, file: string, stamp: string): void {
    this.#watch?.stop()
    this.#watch = watchFile(file, stamp, () => {
      this.#latest(settings, file).then((next) => { if (next !== undefined && this.#current === undefined) this.#beginAnew() }, () => { /* Told once is enough. */ })
    })
  }

  /** The file is another one. One that cannot be run changes nothing. */
  async #changed (): Promise<void> {
    const { settings, file, key } = this.current
    try {
      const next = await this.#latest(settings, file)
      if (next === undefined || this.#current?.key !== key || next.key === key) return
      this.adopt(next, this.#log!)
      this.#log?.info({ event: 'script-loaded', script: file }, 'the script has changed: the new one is in use')
    } catch (error) {
      this.#log?.error({ event: 'script-refused', script: file }, `the script has changed and cannot be run, the one before stays in use: ${messageOf(error)}`)
    }
  }

  /**
   * What the file holds, running; `undefined` when it has changed once more meanwhile. Of many changes in a row only the last is worth workers: a version
   * that starts slowly must not come into use after a later one, nor after it was taken back, and not stand beside all the others.
   */
  async #latest (settings: Settings, file: string): Promise<Deployed | undefined> {
    const change = ++this.#changes
    if (this.#begun !== undefined && !this.#begun.asked) this.#drop(this.#begun)
    this.#begun = undefined
    try {
      const stamp = stampOf(file)
      const script = await loadScript(file)
      if (change !== this.#changes) return undefined
      const judged = this.#judge(settings, script, stamp)
      if ('settings' in judged) return judged
      this.#begun = judged
      const deployed = await judged.ready
      return change === this.#changes ? deployed : undefined
    } catch (error) {
      if (change !== this.#changes) return undefined
      throw error
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
    for (const { deployment } of this.#judged.values()) deployment.close()
  }
}

/** Rejects with what is wrong with it, and has left nothing behind. */
async function started (deployment: Deployment, file: string): Promise<void> {
  await deployment.start()
  if (deployment.hasAny) return
  deployment.close()
  throw new ScriptRefused(`${file}: it has none of the functions onRequest, onRequestBody, onResponse, onResponseBody and onWebSocketMessage`)
}

function refusal (error: unknown): ConfigRefused {
  return refuse('script', messageOf(error))
}

function messageOf (error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
