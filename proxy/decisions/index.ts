export { connectAgent, type AgentClient, type AgentCounters } from './client.ts'
export { agentFilter } from './filter.ts'
export type { FilterSettings } from './plan.ts'
export type { AgentConfiguration, AgentOptions, AgentState, AgentTarget, AgentTls, ProtocolFault } from './settings.ts'
