import type { ConnectingSettings } from '../upstream.ts'

/** How targets are reached: as the traffic reaches them. */
export type Reach = ConnectingSettings

export interface StatusRange {
  readonly from: number
  readonly to: number
}

interface Timing {
  readonly intervalMs: number
  /** For one check with everything it asks. */
  readonly timeoutMs: number
  /** Good checks in a row until a target is well, failed ones until it is not. */
  readonly healthyThreshold: number
  readonly unhealthyThreshold: number
  /** Where checks go, in place of the port of the traffic. */
  readonly port: number | undefined
}

export interface HttpCheck extends Timing {
  readonly type: 'http'
  readonly method: string
  readonly path: string
  readonly expectedStatus: readonly StatusRange[]
  /** Without it the target's own name is said. */
  readonly host: string | undefined
  /** Must be found in the first 64 KiB of the answer. */
  readonly expectedBody: { readonly source: string, test (text: string): boolean } | undefined
}

export interface TcpCheck extends Timing {
  readonly type: 'tcp'
}

export interface GrpcCheck extends Timing {
  readonly type: 'grpc'
  /** "" = the server as a whole. */
  readonly service: string
}

export interface InferenceCheck extends Timing {
  readonly type: 'inference'
  /** Path of the list of models. */
  readonly endpoint: string
  readonly expectedModels: readonly string[]
  readonly completion: CompletionQuestion | undefined
  readonly modelStatus: ModelStatusQuestion | undefined
  readonly queueDepth: QueueDepthQuestion | undefined
  readonly warmth: WarmthSettings | undefined
}

export interface CompletionQuestion {
  readonly endpoint: string
  readonly model: string
  readonly prompt: string
  readonly maxTokens: number
  readonly timeoutMs: number
  readonly maxLatencyMs: number | undefined
}

export interface ModelStatusQuestion {
  /** With {model} in it. */
  readonly endpointPattern: string
  readonly models: readonly string[]
  readonly expectedStatus: string
  readonly statusField: string
  readonly timeoutMs: number
}

export interface QueueDepthQuestion {
  readonly header: string | undefined
  readonly bodyField: string | undefined
  /** `undefined`: the answer with the list of models tells it. */
  readonly endpoint: string | undefined
  readonly degradedThreshold: number
  readonly unhealthyThreshold: number
  readonly timeoutMs: number
}

export interface WarmthSettings {
  readonly sampleSize: number
  readonly coldFactor: number
  readonly action: 'log-only' | 'mark-degraded' | 'mark-unhealthy'
}

export type CheckSettings = HttpCheck | TcpCheck | GrpcCheck | InferenceCheck

/** What one check found out. */
export interface CheckResult {
  readonly healthy: boolean
  /** It answers, but should get less. */
  readonly degraded: boolean
  /** For the operator: "status 503", "connect ECONNREFUSED …"; what it said when it is well. */
  readonly why: string
  readonly ms: number
}
