import type { SentinelConfig } from '../../config/sentinel/index.ts'
import type { HeldSocket } from '../listeners/index.ts'
import type { AgentProgram } from './agent-program.ts'
import type { Lease } from './leases.ts'
import type { Load } from './seam.ts'

/** How long a start or a reload waits for agents that have just been started. */
const agentStartMs = 10_000

interface MadeReady {
  readonly generation: number
  readonly config: SentinelConfig
  readonly programs: ReadonlyMap<string, Lease<AgentProgram>>
  readonly records: object | undefined
  /** Those where agents connect among them, which are main's. */
  readonly sockets: ReadonlyMap<string, HeldSocket>
}

/** What main has made ready, as the data path gets it. */
export async function loadOf ({ generation, config, programs, records, sockets }: MadeReady, strict: boolean): Promise<Omit<Load, 'health' | 'discovered'>> {
  const agents = await Promise.all([...programs.values()].map(({ value }) => value.place()))
  const ofListeners = new Map(config.listeners.map(({ id }) => [id, sockets.get(id)!]))
  return { generation, config, agents, sockets: ofListeners, evidence: records !== undefined, agentStartMs, strict }
}
