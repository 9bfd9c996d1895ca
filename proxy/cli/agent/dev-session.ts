import { createHash } from 'node:crypto'
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { WorkbenchNews } from '../../../proto/workbench.ts'
import { makeSocketFolder } from '../../lifecycle/socket-folder.ts'
import { devConfig, originOf, type GivenSettings, type Target } from './dev-config.ts'
import { startDevProxy, type DevProxy } from './dev-proxy.ts'
import { startEcho, type Echo } from './echo.ts'
import type { FoundAgent } from './find-agent.ts'
import type { DevScreen } from './print-dev.ts'
import { watchFiles, type FileWatch } from './watch-files.ts'
import { startWorkbench, type LoadOutcome, type Workbench } from './workbench-process.ts'

export interface DevSettings {
  readonly agent: FoundAgent
  readonly port: number
  /** Without one, an echo answers. */
  readonly upstream: { readonly url: string, readonly target: Target } | undefined
  /** Read anew with each load when they are those of a file. */
  readonly settings: () => GivenSettings
  readonly settingsFile: string | undefined
  readonly inspectPort: number | undefined
  readonly env: Readonly<Record<string, string | undefined>>
}

type Serving = LoadOutcome & { readonly news: 'serving' }

/** Between the two steps of an editor. */
const mostPauseMs = 100

/** A file that is not loaded by then awaits something at its top level, maybe for ever. */
const slowLoadMs = 5_000

/** An agent that died this soon would die again. */
const tooSoonMs = 2_000

/**
 * An agent that is being worked on. One process serves it; another one, with everything loaded but the agent, waits for the next edit. The proxy
 * is told of it by a reload, as an operator would: what began under the old code ends there, and no request meets nobody.
 */
export class DevSession {
  readonly #settings: DevSettings
  readonly #screen: DevScreen
  readonly #folder = makeSocketFolder()
  readonly #watch: FileWatch
  readonly #retiring = new Set<Workbench>()
  /** The code from before keeps running: it did not end by itself. */
  #runs = false
  #made = 0
  #spare: Workbench
  #current: Workbench | undefined
  #loadedMs = 0
  #files: readonly string[]
  #fingerprint = ''
  #echo: Echo | undefined
  #proxy: DevProxy | undefined
  #busy: Promise<void> | undefined
  #again: { readonly file: string | undefined, readonly sinceMs: number } | undefined
  #inspectPort: number | undefined
  /** Ends a load that takes too long: there is something newer. */
  #giveUp: (() => void) | undefined
  #closed = false
  #proxyEnded: () => void = () => {}
  /** Resolves when the proxy is gone: there is nothing left to work with. */
  readonly proxyEnded = new Promise<void>((resolve) => { this.#proxyEnded = resolve })

  constructor (settings: DevSettings, screen: DevScreen) {
    this.#settings = settings
    this.#screen = screen
    this.#inspectPort = settings.inspectPort
    this.#files = this.#withSettings([settings.agent.file])
    this.#watch = watchFiles((file) => { void this.#changed(file) })
    this.#spare = this.#startBench()
  }

  /** Resolves when the agent serves, or could not be loaded and waits for an edit. Rejects when the proxy does not start. */
  async start (): Promise<void> {
    if (this.#settings.upstream === undefined) this.#echo = await startEcho()
    this.#follow(true)
    await this.#changed(undefined)
  }

  /** Nothing is left: no process, no socket, no folder. */
  async close (): Promise<void> {
    this.#closed = true
    this.#watch.close()
    await Promise.all([this.#spare, ...this.#current === undefined ? [] : [this.#current], ...this.#retiring].map((bench) => bench.kill()))
    await this.#busy?.catch(() => {})
    await this.#spare.kill()
    await this.#proxy?.stop()
    this.#echo?.close()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** One load after the other; what is saved meanwhile is one more. */
  #changed (file: string | undefined): Promise<void> {
    this.#again = { file, sinceMs: performance.now() }
    if (this.#isNews(file)) this.#giveUp?.()
    return this.#busy ??= this.#loadAll().finally(() => { this.#busy = undefined })
  }

  async #loadAll (): Promise<void> {
    for (let next = this.#again; next !== undefined && !this.#closed; next = this.#again) {
      this.#again = undefined
      await untilWritten(this.#files)
      const fingerprint = fingerprintOf(this.#files)
      // Editors touch files without changing them, and tell of one change several times.
      if (fingerprint === this.#fingerprint && next.file !== undefined && this.#files.includes(next.file)) continue
      this.#fingerprint = fingerprint
      await this.#load(next.file, next.sinceMs)
    }
  }

  async #load (file: string | undefined, sinceMs: number): Promise<void> {
    const bench = this.#spare
    const [shown, shownAtMs] = [this.#files, Date.now()]
    await bench.warm
    const inspectPort = this.#current === undefined ? this.#inspectPort : undefined
    const outcome = await this.#unlessGivenUp(bench.load({ file: this.#settings.agent.file, inspectPort }))
    if (this.#closed) return
    const why = outcome.news === 'failed' ? outcome.why : await this.#put(bench, outcome)
    if (this.#closed) return
    // A file that could not be read to its end may import others than before.
    this.#files = this.#withSettings([this.#settings.agent.file, ...outcome.files, ...why === undefined ? [] : this.#files])
    // What was saved while it was loaded counts as not seen yet: it may have been read before.
    const isOlder = fingerprintOf(shown) !== this.#fingerprint || this.#files.some((one) => !shown.includes(one) && changedMs(one) >= shownAtMs)
    this.#fingerprint = isOlder ? '' : fingerprintOf(this.#files)
    if (isOlder) this.#again ??= { file: undefined, sinceMs: performance.now() }
    this.#follow(why !== undefined)
    this.#spare = this.#startBench()
    if (why !== undefined) {
      this.#screen.failed(why, this.#runs)
      return bench.kill()
    }
    const old = this.#current
    this.#current = bench
    this.#runs = true
    this.#loadedMs = performance.now()
    if (old === undefined) return
    this.#screen.reloaded([this.#shown(file ?? this.#settings.agent.file)], performance.now() - sinceMs)
    this.#retire(old, bench)
  }

  /** Whether what is being loaded is not what is there now: a change is told several times, and some are none. */
  #isNews (file: string | undefined): boolean {
    return (file !== undefined && !this.#files.includes(file)) || fingerprintOf(this.#files) !== this.#fingerprint
  }

  /** Without this, a file that awaits something for ever would be the last one that is loaded. */
  async #unlessGivenUp (load: Promise<LoadOutcome>): Promise<LoadOutcome> {
    let timer: NodeJS.Timeout | undefined
    const givenUp = new Promise<LoadOutcome>((resolve) => {
      timer = setTimeout(() => {
        this.#giveUp = () => resolve({ news: 'failed', why: `${this.#shown(this.#settings.agent.file)} had not been loaded to its end when a file changed.`, files: [] })
        if (this.#again !== undefined && this.#isNews(this.#again.file)) return this.#giveUp()
        this.#screen.note(`${this.#shown(this.#settings.agent.file)} is still being loaded: it waits for something at its top level. The next change starts anew.`)
      }, slowLoadMs)
    })
    try {
      return await Promise.race([load, givenUp])
    } finally {
      clearTimeout(timer)
      this.#giveUp = undefined
    }
  }

  /** Puts the proxy in front of what serves now; gives why that cannot be. */
  async #put (bench: Workbench, { name, files }: Serving): Promise<string | undefined> {
    const file = join(this.#folder, 'sentinel.kdl')
    const controlSocket = join(this.#folder, 'control.sock')
    const { port, upstream } = this.#settings
    let before: string | undefined
    let placed = (why: string): string => why
    try {
      const settings = this.#settings.settings()
      const text = devConfig({
        agent: name, socket: bench.socket, controlSocket, port, settings, patient: this.#inspectPort !== undefined,
        upstream: upstream?.target ?? { address: `127.0.0.1:${this.#echo!.port}`, tls: undefined },
      })
      placed = (why) => this.#inWordsOfTheAuthor(why, file, (line) => originOf(text, line, settings))
      if (this.#proxy !== undefined) before = readFileSync(file, 'utf8')
      writeFileSync(file, text, { mode: 0o600 })
    } catch (error) {
      return (error as Error).message
    }
    if (this.#proxy !== undefined) {
      const why = await this.#proxy.reload().catch((error: unknown) => String(error))
      if (why !== undefined) writeFileSync(file, before ?? '')
      return why === undefined ? undefined : placed(why)
    }
    try {
      // Its own folders go with ours, whatever becomes of it.
      const env = { ...this.#settings.env, TMPDIR: this.#folder, RUNTIME_DIRECTORY: this.#folder }
      this.#proxy = await startDevProxy(file, controlSocket, env, { onTrouble: (text) => this.#screen.trouble(placed(text)) })
    } catch (error) {
      return placed((error as Error).message)
    }
    if (this.#closed) return undefined
    void this.#proxy.ended.then(() => { if (!this.#closed) this.#proxyEnded() })
    this.#screen.started({ name, url: `http://127.0.0.1:${this.#proxy.port}/`, files: files.map((one) => this.#shown(one)), upstream: upstream?.url })
    return undefined
  }

  #retire (old: Workbench, next: Workbench): void {
    this.#retiring.add(old)
    void old.ended.then(() => this.#retiring.delete(old))
    void this.#handInspector(old, next)
  }

  async #handInspector (old: Workbench, next: Workbench): Promise<void> {
    if (this.#inspectPort !== undefined) {
      await old.closeInspector()
      if (this.#current === next) next.openInspector(this.#inspectPort)
    }
    old.drain()
  }

  #startBench (): Workbench {
    const { agent, env } = this.#settings
    const bench = startWorkbench(agent.folder, join(this.#folder, `agent-${++this.#made}.sock`), env, {
      onNews: (from, news) => this.#hear(from, news),
      onLine: (line) => { if (!ofTheInspector.test(line)) this.#screen.line(line) },
      onCrash: (from, how) => this.#crashed(from, how),
    })
    return bench
  }

  #hear (from: Workbench, news: WorkbenchNews): void {
    switch (news.news) {
      case 'decided': return this.#screen.decided(news)
      case 'logged':
        if (news.level !== 'debug' && !ofTheSdk.has(news.text.split(' ')[0] ?? '')) this.#screen.logged(news.level, news.text)
        return
      case 'inspector': {
        const { url } = news
        if (url === undefined) return
        this.#inspectPort = Number(new URL(url).port)
        if (from === this.#spare || from === this.#current) this.#screen.note(`debugger: ${url}`)
        return
      }
      case 'warm': case 'serving': case 'failed': return
    }
  }

  #crashed (bench: Workbench, how: string): void {
    if (this.#closed || bench !== this.#current) return
    this.#runs = false
    const again = performance.now() - this.#loadedMs > tooSoonMs
    this.#screen.logged('error', `the agent ended (${how}); it is started again ${again ? 'now' : 'when a file changes'}`)
    this.#fingerprint = ''
    if (again) void this.#changed(undefined)
  }

  #follow (others: boolean): void {
    this.#watch.follow(this.#files, others)
  }

  #withSettings (files: readonly string[]): string[] {
    const { settingsFile } = this.#settings
    return [...new Set([...files, ...settingsFile === undefined ? [] : [settingsFile]])]
  }

  /** Nobody wrote the configuration of the throw-away proxy, so no place in it is told. */
  #inWordsOfTheAuthor (why: string, config: string, origin: (line: number) => number | 'given' | undefined): string {
    const { settingsFile } = this.#settings
    return why.split('\n').map((text) => {
      const [place, line = '', column] = text.startsWith(`${config}:`) ? /^:(\d+):(\d+): /.exec(text.slice(config.length)) ?? [] : []
      if (place === undefined) return text
      const from = origin(Number(line))
      const where = from === undefined ? '' : from === 'given' || settingsFile === undefined ? '--config: ' : `${this.#shown(settingsFile)}:${from}:${column}: `
      return where + text.slice(config.length + place.length)
    }).join('\n')
  }

  #shown (file: string): string {
    return relative(this.#settings.agent.folder, file)
  }
}

/** Node tells on its own what `debugger:` tells. */
const ofTheInspector = /^(?:Debugger listening on ws:|Debugger ending on ws:|For help, see: https:\/\/nodejs\.org)/

/** First words of lines that the SDK writes about its own life: here the screen tells. */
const ofTheSdk: ReadonlySet<string> = new Set(['connected', 'configured', 'configuration'])

/** Some editors empty a file before they write it. One that stays empty is meant so. */
async function untilWritten (files: readonly string[]): Promise<void> {
  const untilMs = performance.now() + mostPauseMs
  const isEmpty = (file: string): boolean => statSync(file, { throwIfNoEntry: false })?.size === 0
  while (files.some(isEmpty) && performance.now() < untilMs) await new Promise((resolve) => { setTimeout(resolve, 5) })
}

/** In milliseconds since 1970; 0 for a file that is not there. */
function changedMs (file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0
}

function fingerprintOf (files: readonly string[]): string {
  const hash = createHash('sha256')
  for (const file of files) {
    hash.update(`${file}\0`)
    try {
      hash.update(readFileSync(file))
    } catch {
      hash.update('-')
    }
  }
  return hash.digest('hex')
}
