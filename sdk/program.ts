import { toJsonSchema } from '../config/schema/index.ts'
import {
  protocolVersions, type ConfigureRequest, type ConfigureResponse, type DescribeRequest, type DescribeResponse,
} from '../proto/codec/index.ts'
import { Configurations } from './configuration.ts'
import type { Agent } from './definition.ts'
import type { Log } from './log.ts'
import { Vitals } from './vitals.ts'

/** An agent that runs: what its server, its streams and its exchanges share. */
export class Program {
  readonly agent: Agent
  readonly log: Log
  readonly configurations: Configurations
  readonly vitals = new Vitals()
  #open = 0
  #draining = false
  #whenIdle: (() => void)[] = []

  constructor (agent: Agent, log: Log) {
    this.agent = agent
    this.log = log
    this.configurations = new Configurations(agent.definition, log)
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

  /** No new exchanges from now on. Resolves when the open ones have ended. */
  drain (): Promise<void> {
    this.#draining = true
    if (this.#open === 0) return Promise.resolve()
    return new Promise((resolve) => this.#whenIdle.push(resolve))
  }
}
