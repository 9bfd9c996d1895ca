import { toJsonSchema } from '../config/schema/json-schema.ts'
import {
  protocolVersions, type ConfigureRequest, type ConfigureResponse, type DescribeRequest, type DescribeResponse,
} from '../proto/codec/index.ts'
import { Background } from './background.ts'
import { Configurations, type ConfigurationSet } from './configuration.ts'
import type { Agent } from './definition.ts'
import type { Log } from './log.ts'
import { memoryStore, monotonic } from './store/memory.ts'
import type { OwnedStore } from './store/store.ts'
import { Vitals } from './vitals.ts'

/** What an agent is given to run with. */
export interface Services {
  readonly store?: OwnedStore
  /** Milliseconds that only grow; those of the process unless given. */
  readonly now?: () => number
  /** Who keeps its configurations; itself unless given. */
  readonly configurations?: ConfigurationSet
}

/** What a program consists of beside itself. */
export interface Part {
  drain (): Promise<void>
  close (): Promise<void>
}

/** An agent that runs: what its server, its streams and its exchanges share. */
export class Program {
  readonly agent: Agent
  readonly log: Log
  readonly configurations: ConfigurationSet
  readonly store: OwnedStore
  readonly background: Background
  readonly now: () => number
  readonly vitals = new Vitals()
  #open = 0
  #draining = false
  #whenIdle: (() => void)[] = []
  readonly #parts: Part[] = []

  constructor (agent: Agent, log: Log, services: Services = {}) {
    const { now = monotonic, store = memoryStore(undefined, now), configurations = new Configurations(agent.definition, log) } = services
    this.agent = agent
    this.log = log
    this.now = now
    this.store = store
    this.configurations = configurations
    this.background = new Background(log)
  }

  describe (request: DescribeRequest): DescribeResponse {
    const { definition, events, maxExchanges, maxBodyBytes, requestBody, responseBody } = this.agent
    return {
      name: definition.name,
      version: definition.version ?? '',
      protocolVersion: protocolVersions.find((version) => request.protocolVersions.includes(version)) ?? 0,
      events,
      limits: { maxExchanges, maxBodyBytes },
      configSchema: JSON.stringify(toJsonSchema(definition.config ?? {})),
      setsRequestHeaders: (definition.setsHeaders ?? []).map((name) => name.toLowerCase()),
      requestBody,
      responseBody,
    }
  }

  async configure (request: ConfigureRequest): Promise<ConfigureResponse> {
    const response = await this.configurations.configure(request)
    const about = { version: request.version, validateOnly: request.validateOnly }
    if (response.accepted) this.log.info(about, request.validateOnly ? 'configuration would be accepted' : 'configured')
    else this.log.warn({ ...about, problems: response.problems }, 'configuration refused')
    return response
  }

  /** Why a new exchange cannot begin now, or undefined. */
  get refusal (): { code: string, message: string } | undefined {
    if (this.#draining) return { code: 'draining', message: 'the agent is shutting down' }
    if (this.configurations.active === undefined) return { code: 'not_configured', message: 'the agent has no configuration yet' }
    if (this.#open >= this.agent.maxExchanges) return { code: 'busy', message: `${this.#open} exchanges are open` }
    return undefined
  }

  get open (): number {
    return this.#open
  }

  opened (): void {
    this.#open++
  }

  closed (): void {
    this.#open--
    if (this.#open > 0) return
    const waiting = this.#whenIdle
    this.#whenIdle = []
    for (const resolve of waiting) resolve()
  }

  /** Something else that a drain waits for when there are no exchanges any more, and that ends with the program. */
  attach (part: Part): void {
    this.#parts.push(part)
  }

  /** No new exchanges from now on. Resolves when the open ones have ended, and with them what goes on after their answers. */
  async drain (): Promise<void> {
    this.#draining = true
    if (this.#open > 0) await new Promise<void>((resolve) => { this.#whenIdle.push(resolve) })
    await Promise.all([this.background.idle(), ...this.#parts.map((part) => part.drain())])
  }

  /** Lets go of what it holds outside of itself. Nothing may be asked of it afterwards. */
  async close (): Promise<void> {
    await Promise.all([this.store.close(), ...this.#parts.map((part) => part.close())])
  }
}
