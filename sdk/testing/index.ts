// In-memory tests of agents: `testAgent` runs one behind the same dispatch and the same bytes as its server, without a socket.
export { testAgent } from './harness.ts'
export type { LogRecord, TestAgent, TestAgentOptions, TestBody, TestMessageInit, TestRequestInit, TestResponseInit } from './harness.ts'
export type { MessageVerdict } from './message-verdict.ts'
export type { Verdict } from './verdict.ts'
export { pieces, splits } from './splits.ts'
