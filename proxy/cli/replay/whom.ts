import { setTimeout as sleep } from 'node:timers/promises'
import type { SentinelConfig } from '../../../config/sentinel/index.ts'
import { AgentLink, type LinkSettings } from '../../decisions/by-hand/link.ts'
import { isOutOfReach, startAgentsAlone } from '../../lifecycle/agents-alone.ts'

/** An agent to be asked. */
export interface AskedAgent {
  /** Its name in the cases. */
  readonly name: string
  /** For people. */
  readonly shown: string
  readonly timeoutMs: number
  /** Connects, and configures it where that is ours to do. Rejects with a fault. */
  connect (): Promise<{ readonly link: AgentLink, readonly configVersion: string }>
}

export interface Asked {
  readonly agents: readonly AskedAgent[]
  /** What has to be known of it, a sentence each. */
  readonly notes: readonly string[]
  stop (): Promise<void>
}

/** Somebody serves it: it is asked as it is. A sentence when it is not clear which of the recorded agents it is. */
export function agentAt (shown: string, target: LinkSettings, ofCases: readonly string[], as: string | undefined): Asked | string {
  const [only, ...others] = ofCases
  if (only === undefined) return 'no agent was asked in any of the cases'
  if (as !== undefined && !ofCases.includes(as)) return `no agent '${as}' was recorded; there are: ${ofCases.join(', ')}`
  if (as === undefined && others.length > 0) return `the agents ${ofCases.join(', ')} were recorded: say with --as which of them this is`
  const connect: AskedAgent['connect'] = async () => ({ link: await AgentLink.open(target), configVersion: '' })
  return { agents: [{ name: as ?? only, shown, timeoutMs: target.timeoutMs, connect }], notes: [], async stop () {} }
}

interface OfConfig {
  readonly config: SentinelConfig
  readonly file: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly ofCases: readonly string[]
  readonly only: string | undefined
  readonly timeoutMs: number
}

/** How long the program of an agent may take until it can be asked. */
const startMs = 10_000

/** Those that were recorded and are in the configuration. A sentence when there are none. */
export function agentsOfConfig ({ config, file, env, ofCases, only, timeoutMs }: OfConfig): Asked | string {
  if (only !== undefined && !config.agents.some(({ id }) => id === only)) return `the configuration has no agent '${only}'; there are: ${config.agents.map(({ id }) => id).join(', ')}`
  if (only !== undefined && !ofCases.includes(only)) return `no agent '${only}' was recorded; there are: ${ofCases.join(', ')}`
  const meant = config.agents.filter(({ id }) => ofCases.includes(id) && (only === undefined || id === only))
  const wanted = meant.filter((agent) => !isOutOfReach(agent))
  const distant = meant.filter(isOutOfReach).map(({ id }) => `agent '${id}' connects to the proxy: only a proxy that runs can ask it`)
  if (wanted.length === 0 && distant.length > 0) return distant.join('; ')
  if (wanted.length === 0) return `the configuration has none of the agents that were recorded: ${ofCases.join(', ')}`
  const gone = only === undefined ? ofCases.filter((name) => !meant.some(({ id }) => id === name)) : []
  const alone = startAgentsAlone(wanted, file, env, 'warn')
  const foreign = alone.agents.filter(({ configuration }) => configuration === undefined)
  return {
    agents: alone.agents.map(({ id, target, configuration }) => ({
      name: id, shown: id, timeoutMs,
      async connect () {
        if (configuration === undefined) return { link: await AgentLink.open({ target, timeoutMs }), configVersion: '' }
        const link = await linkWithin(startMs, { target, timeoutMs })
        await link.describe()
        const { accepted, problems } = await link.configure(configuration.json, { version: configuration.version })
        if (accepted) return { link, configVersion: configuration.version }
        link.close()
        throw new Error(`it refuses its configuration: ${problems.map(({ path, message }) => `${path.join(' ')}${path.length > 0 ? ': ' : ''}${message}`).join('; ')}`)
      },
    })),
    notes: [
      ...distant,
      ...gone.map((name) => `agent '${name}' was recorded and is not in the configuration`),
      ...foreign.map(({ id }) => `agent '${id}' is run by somebody else: it was asked with the configuration that it has`),
    ],
    stop: () => alone.stop(),
  }
}

/** Its program needs a moment until it listens. */
async function linkWithin (ms: number, settings: LinkSettings): Promise<AgentLink> {
  for (const untilMs = performance.now() + ms; ;) {
    try {
      return await AgentLink.open(settings)
    } catch (error) {
      if (performance.now() > untilMs) throw error
      await sleep(50)
    }
  }
}
