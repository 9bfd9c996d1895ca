// What the author of an agent imports as 'sentinel/sdk'. The guide is README.md in this folder.
export { defineAgent } from './definition.ts'
export type {
  Agent, AgentDefinition, Answered, BodyWish, ChunkAnswered, ConfigProblem, ConfigureInfo, MaybeChunkAnswer, MaybeDecision, MaybeMessageAnswer,
  MessageAnswered, Summary, WorkerOptions,
} from './definition.ts'
export { serve } from './server/serve.ts'
export { startAgent } from './server/start.ts'
export type { RunningAgent, StartOptions } from './server/start.ts'

export { allow, block, challenge, Decision, flag, redact, redirect, review } from './decision.ts'
export type { Answer, DecisionKind, Extras } from './decision.ts'
export { ChunkAnswer, drop, hold, pass, passButTail, replace } from './chunk.ts'
export type { Chunk, MessageExtras } from './chunk.ts'
export { Close, close } from './message.ts'
export type { WebSocketMessage } from './message.ts'

export type { AgentRequest, AnswerableChunk, LateBodyOptions } from './request.ts'
export type { AgentResponse } from './response.ts'
export type { HeaderEdit, HeaderEdits, HeadersInit, HeaderView } from './headers.ts'
export type { AboutTool, ToolCall, ToolResult } from './tools.ts'
export type { Finding, Findings, GuardrailInspection, Inspected, Inspection, MaybeFindings } from './guardrail.ts'
export type { Attributes, Context } from './context.ts'
export type { Log, LogLine } from './log.ts'
export type { AgentMode, Audit, BodyMode, Complete, EventKind, Severity, Tls } from '../proto/codec/index.ts'
export { AgentFailure, ExchangeEnded, InvalidBody } from './failure.ts'
export { bodyJson, bodyText } from './body-text.ts'
export type { CookieView } from './cookies.ts'
export type { Store, StoreOptions } from './store/store.ts'
export { ConfigRefused, refuse } from './configuration.ts'

export {
  anyText, bool, compile, duration, durationWithin, existingFile, integer, ipFinder, ipMatcher, ipRange, list, map, number, numberBetween, oneOf, optional,
  parseDuration, parseIpRange, parseSize, regex, required, setting, size, sizeWithin, text, textLike,
} from '../config/schema/index.ts'
export type { Field, Fields, Fit, Infer, IpRange, JsonObject, JsonValue, Mismatch, Pattern, ValueType } from '../config/schema/index.ts'
export { section, sections } from './settings.ts'
