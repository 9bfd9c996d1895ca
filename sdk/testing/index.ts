// In-memory tests of agents: `testAgent` runs one behind the same dispatch and the same bytes as its server, without a socket.
export { testAgent } from './harness.ts'
export type {
  LogRecord, TestAgent, TestAgentOptions, TestBody, TestInspection, TestMessageInit, TestRequestInit, TestResponseInit, TestTool, TestToolCall, TestToolResult,
} from './harness.ts'
export type { TestExchange } from './exchange.ts'
export type { MessageVerdict } from './message-verdict.ts'
export type { Verdict } from './verdict.ts'
export { pieces, splits } from './splits.ts'
export { expectVerdict } from './expect-verdict.ts'
export type { ExpectedVerdict } from './expect-verdict.ts'
export { fakeClock } from './fake-clock.ts'
export type { FakeClock, TestClock } from './fake-clock.ts'
export { fuzzBody } from './fuzz-body.ts'
export type { FuzzBodyOptions } from './fuzz-body.ts'
