// What the author of an agent imports as 'sentinel/sdk'. The guide is README.md in this folder.
export { defineAgent } from './definition.ts'
export type {
  Agent, AgentDefinition, Answered, BodyWish, ChunkAnswered, Concern, ConfigProblem, ConfigureInfo, MaybeChunkAnswer, MaybeDecision,
  MaybeMessageAnswer, MessageAnswered, Summary, WorkerOptions,
} from './definition.ts'
export { serve } from './server/serve.ts'
export { startAgent } from './server/start.ts'
export type { RunningAgent, StartOptions } from './server/start.ts'

export { allow, block, challenge, Decision, flag, redact, redirect, review } from './decision.ts'
export type { Answer, Block, Challenge, DecisionKind, Extras } from './decision.ts'
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
export type { Counter, Gauge, Histogram, HistogramOptions, Labels, Metrics } from './metrics.ts'
export type { Condition } from './vitals.ts'
export type { Log, LogLine } from './log.ts'
export type { AgentMode, Audit, BodyMode, Complete, EventKind, Severity, Tls } from '../proto/codec/index.ts'
export { AgentFailure, ExchangeEnded, InvalidBody } from './failure.ts'
export { bodyJson, bodyText } from './body-text.ts'
export type { CookieView } from './cookies.ts'
export type { Store, StoreOptions } from './store/store.ts'
export { ConfigRefused, refuse } from './configuration.ts'

// From the modules themselves: an agent needs a part of the engine that the proxy's table needs whole.
export { ipFinder, ipMatcher, ipRange, parseIpRange } from '../config/schema/address.ts'
export type { IpRange } from '../config/schema/address.ts'
export type { Field, Fields, Infer } from '../config/schema/field.ts'
export { json, list, map, optional, required, setting } from '../config/schema/fields.ts'
export { duration, durationWithin, parseDuration, parseSize, size, sizeWithin } from '../config/schema/quantities.ts'
export { compile, regex } from '../config/schema/regex.ts'
export type { Pattern } from '../config/schema/regex.ts'
export type { Fit, JsonObject, JsonValue, Mismatch, ValueType } from '../config/schema/value.ts'
export { anyText, bool, existingFile, integer, number, numberBetween, oneOf, text, textLike } from '../config/schema/values.ts'
export { section, sections } from './settings.ts'
