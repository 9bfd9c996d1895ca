import type { ToolCall as WireCall, ToolResult as WireResult } from '../proto/codec/index.ts'

/** What calls and results of tools have in common. */
export interface AboutTool {
  /** "mcp", "openai-chat", "openai-responses", "anthropic" or "gemini". */
  readonly protocol: string
  /** The upstream, or the server that the call itself names. */
  readonly server: string
  /** The tool's name as the call spells it; of a result, "" when nothing says which tool it was. */
  readonly tool: string
  /** What binds a result to its call: the JSON-RPC id, or the model's own. "" when there is none. */
  readonly id: string
}

/** A call of a tool on its way to who runs it. */
export class ToolCall implements AboutTool {
  readonly #wire: WireCall
  #arguments: { readonly value: unknown } | undefined

  constructor (wire: WireCall) {
    this.#wire = wire
  }

  /** "mcp", "openai-chat", "openai-responses", "anthropic" or "gemini". */
  get protocol (): string { return this.#wire.protocol }
  /** The upstream, or the server that the call itself names. */
  get server (): string { return this.#wire.server }
  /** Its name as the call spells it. */
  get tool (): string { return this.#wire.tool }
  /** What binds a result to its call; "" when there is none. */
  get id (): string { return this.#wire.callId }
  /** The arguments as JSON, as they stand in the call; "" when there are none. */
  get argumentsJson (): string { return this.#wire.argumentsJson.toString() }

  /** The arguments, parsed when first asked for; `{}` when there are none. What a model writes may be any JSON: look before you use it. */
  get arguments (): unknown {
    this.#arguments ??= { value: this.#wire.argumentsJson.length === 0 ? {} : JSON.parse(this.argumentsJson) as unknown }
    return this.#arguments.value
  }
}

/** What came of a call, on its way back. */
export class ToolResult implements AboutTool {
  readonly #wire: WireResult
  #result: { readonly value: unknown } | undefined

  constructor (wire: WireResult) {
    this.#wire = wire
  }

  /** "mcp", "openai-chat", "openai-responses", "anthropic" or "gemini". */
  get protocol (): string { return this.#wire.protocol }
  /** The upstream, or the server that the call itself names. */
  get server (): string { return this.#wire.server }
  /** Its name; "" when nothing says which tool it was. */
  get tool (): string { return this.#wire.tool }
  /** What binds a result to its call; "" when there is none. */
  get id (): string { return this.#wire.callId }
  /** The tool, or its server, says that it failed. */
  get isError (): boolean { return this.#wire.isError }
  /** The result as JSON, as it stands in the body. */
  get resultJson (): string { return this.#wire.resultJson.toString() }

  /** The result, parsed when first asked for. */
  get result (): unknown {
    this.#result ??= { value: this.#wire.resultJson.length === 0 ? undefined : JSON.parse(this.resultJson) as unknown }
    return this.#result.value
  }
}
