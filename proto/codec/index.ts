// Everything that speaks the agent protocol imports from here. The two generated files hold the messages: for each message `X` the
// type `X`, the constant `emptyX` with all defaults, and `writeX` / `readX` for `encode`, `encodeFrame` and `decode`; requests and
// responses of services also have `encodeX` / `decodeX`.
export * from './agent.ts'
export * from './health.ts'
export { noEntries, type Entries } from './entries.ts'
export { keepEncoded, type FieldLines } from './field-lines.ts'
export { BadFrame, frame, FrameDecoder } from './grpc-frame.ts'
export { decode, MalformedMessage, type Reader } from './reader.ts'
export type { Unrecognized } from './words.ts'
export { encode, encodeFrame, type Writer } from './writer.ts'

/** Versions of the protocol that this codec speaks, best first. */
export const protocolVersions: readonly number[] = [1]

/** Longest message that the proxy takes from an agent. */
export const maxAgentMessageBytes = 16 * 1024 * 1024
