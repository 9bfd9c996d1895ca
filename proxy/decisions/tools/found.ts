import type { ToolCall, ToolResult } from '../../../proto/codec/index.ts'
import type { Edit } from './edits.ts'
import { readJson, Unreadable } from './json.ts'

/** A call of a tool, or what came of one, as it stands in a body. */
export type Found =
  | { readonly kind: 'tool_call', readonly value: ToolCall }
  | { readonly kind: 'tool_result', readonly value: ToolResult }

/** What was decided about it, where it does not stay as it is. */
export type Outcome =
  | { readonly kind: 'refused', readonly sentence: string, readonly ticket: string | undefined }
  /** Other arguments, or another result, as JSON. */
  | { readonly kind: 'replaced', readonly json: string }

export type Outcomes = ReadonlyMap<Found, Outcome>

/** What was found in one text, and how the text changes with what is decided about it. */
export interface Reading {
  readonly found: readonly Found[]
  /** Throws `Unfit` when something cannot stand where it is to stand. */
  edits (outcomes: Outcomes): Edit[]
}

/** What an agent gave in place of arguments or a result cannot stand there. */
export class Unfit extends Error {}

/** What is looked for. */
export interface Wanted {
  readonly calls: boolean
  readonly results: boolean
}

/** Calls and results that are asked about of one body, or of one event of a stream. */
export const maxFound = 256

export function joinedReadings (readings: readonly Reading[]): Reading {
  const found = readings.flatMap((reading) => reading.found)
  if (found.length > maxFound) throw new Unreadable(`it has more than ${maxFound} calls and results of tools`)
  return { found, edits: (outcomes) => readings.flatMap((reading) => reading.edits(outcomes)) }
}

/** Arguments that a model wrote as text. Empty where there are none. Throws `Unreadable` when they are no JSON: what a client makes of them nobody knows. */
export function argumentsOf (written: string): Buffer {
  if (written.trim() === '') return Buffer.alloc(0)
  readJson(written)
  return Buffer.from(written)
}

/** An object in the place of an object. */
export function objectJson (json: string, what: string): string {
  if (!json.trimStart().startsWith('{')) throw new Unfit(`${what} must be a JSON object`)
  return json
}

/** A text stays a text. */
export function likeBefore (json: string, wasText: boolean): string {
  return wasText && !json.trimStart().startsWith('"') ? JSON.stringify(json) : json
}
