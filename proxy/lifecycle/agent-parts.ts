/** What is loaded only where a configuration has agents: an eighth of the program, and Node's HTTP/2. */
export { agentFilter, callPlaces } from '../decisions/index.ts'
export { AgentDoor } from './agent-door.ts'
export { openAgent } from './agent-runtime.ts'
