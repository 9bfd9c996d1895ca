import { readJson } from '../config/schema/read.ts'
import type { ConfigProblem as WireProblem, ConfigureRequest, ConfigureResponse } from '../proto/codec/index.ts'
import type { AnyDefinition, ConfigProblem } from './definition.ts'
import type { Log } from './log.ts'

/** A configuration that is or was active, and what the agent made of it. */
export interface Configuration {
  readonly version: string
  readonly config: unknown
  readonly state: unknown
}

/** The configurations of one agent process, and how it takes new ones. */
export interface ConfigurationSet {
  readonly active: Configuration | undefined
  /** What an exchange that began under `version` runs with. */
  at (version: string): Configuration | undefined
  configure (request: ConfigureRequest): Promise<ConfigureResponse>
}

/** Thrown by `prepare` or `onConfigure` to refuse a configuration for reasons an operator can act on. */
export class ConfigRefused extends Error {
  /** Every reason, with the setting it is about. */
  readonly problems: readonly ConfigProblem[]

  constructor (problems: readonly ConfigProblem[]) {
    super(problems.map((p) => `${p.path.join(' ')}: ${p.message}`).join('\n'))
    this.name = 'ConfigRefused'
    this.problems = problems
  }
}

/** Refuses a configuration for one setting. `path`: "rules", "3", "pattern". */
export function refuse (path: string | readonly string[], message: string, hint?: string): ConfigRefused {
  return new ConfigRefused([{ path: typeof path === 'string' ? [path] : path, message, ...(hint === undefined ? {} : { hint }) }])
}

/** Configurations kept, the active one among them: exchanges that began before a reload end as they began. */
const keptVersions = 2

/** The configurations of one agent process. A refused one changes nothing. */
export class Configurations implements ConfigurationSet {
  readonly #definition: AnyDefinition
  readonly #log: Log
  #active: Configuration | undefined
  readonly #kept = new Map<string, Configuration>()
  /** One at a time: two that overlap could become active in the wrong order. */
  #last: Promise<unknown> = Promise.resolve()

  constructor (definition: AnyDefinition, log: Log) {
    this.#definition = definition
    this.#log = log
  }

  get active (): Configuration | undefined {
    return this.#active
  }

  at (version: string): Configuration | undefined {
    return this.#kept.get(version) ?? this.#active
  }

  configure (request: ConfigureRequest): Promise<ConfigureResponse> {
    const done = this.#last.then(() => this.#configure(request))
    this.#last = done
    return done
  }

  async #configure ({ configJson, validateOnly, version }: ConfigureRequest): Promise<ConfigureResponse> {
    const read = readConfig(this.#definition, configJson)
    if ('problems' in read) return refused(read.problems)
    try {
      // With no `prepare` the type of the state is undefined, which is what it gets.
      const state = await this.#definition.prepare?.(read.value as never)
      const problems = await this.#definition.onConfigure?.(read.value as never, { validateOnly, version, state, log: this.#log })
      if (problems && problems.length > 0) return refused(problems)
      if (!validateOnly) this.#activate({ version, config: read.value, state })
      return { accepted: true, problems: [] }
    } catch (error) {
      return refused(error instanceof ConfigRefused ? error.problems : [{ path: [], message: messageOf(error) }])
    }
  }

  #activate (configuration: Configuration): void {
    this.#active = configuration
    this.#kept.delete(configuration.version)
    this.#kept.set(configuration.version, configuration)
    for (const version of this.#kept.keys()) {
      if (this.#kept.size <= keptVersions) break
      this.#kept.delete(version)
    }
  }
}

function readConfig (definition: AnyDefinition, json: Buffer): { value: unknown } | { problems: readonly ConfigProblem[] } {
  let parsed: unknown
  try {
    parsed = json.length === 0 ? {} : JSON.parse(json.toString())
  } catch (error) {
    return { problems: [{ path: [], message: `the configuration is not JSON: ${messageOf(error)}` }] }
  }
  // JSON.parse gives JSON and nothing else.
  return readJson(definition.config ?? {}, parsed as Parameters<typeof readJson>[1])
}

function refused (problems: readonly ConfigProblem[]): ConfigureResponse {
  const wire: WireProblem[] = problems.map(({ path, message, hint = '' }) => ({ path, message, hint }))
  return { accepted: false, problems: wire }
}

function messageOf (error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
