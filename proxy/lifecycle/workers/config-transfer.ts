import type { FreeBlock, JsonValue } from '../../../config/schema/index.ts'
import { compile, type Pattern } from '../../../config/schema/regex.ts'
import type { Position, SentinelConfig } from '../../../config/sentinel/index.ts'

/**
 * A configuration as plain data. It is sent as it was read: a worker that read the files again could find others. Two kinds of values in it are
 * more than data: expressions, which are compiled anew, and the blocks of agents, which know where each setting stands.
 */
export type PlainConfig = { readonly plain: unknown }

const patternKey = '$pattern'
const blockKey = '$block'

interface PlainBlock {
  readonly json: FreeBlock['json']
  readonly positions: ReadonlyArray<readonly [path: string, position: Position]>
}

export function toPlain (config: SentinelConfig): PlainConfig {
  return { plain: plainOf(config) }
}

export function fromPlain ({ plain }: PlainConfig): SentinelConfig {
  return revive(plain) as SentinelConfig // `toPlain` made it of one.
}

function plainOf (value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(plainOf)
  if (isPattern(value)) return { [patternKey]: value.source }
  if (isBlock(value)) return { [blockKey]: { json: value.json, positions: positionsOf(value) } }
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, plainOf(member)]))
}

function revive (value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(revive)
  if (patternKey in value) return compile(String(value[patternKey]))
  if (blockKey in value) return blockOf(value[blockKey] as PlainBlock) // `plainOf` made it.
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, revive(member)]))
}

function isPattern (value: object): value is Pattern {
  return 'source' in value && 'test' in value && typeof value.test === 'function'
}

function isBlock (value: object): value is FreeBlock {
  return 'positionOf' in value && typeof value.positionOf === 'function'
}

function positionsOf (block: FreeBlock): PlainBlock['positions'] {
  return pathsIn(block.json, []).map((path) => [JSON.stringify(path), block.positionOf(path)] as const)
}

function pathsIn (value: JsonValue, path: ReadonlyArray<string | number>): Array<ReadonlyArray<string | number>> {
  if (typeof value !== 'object' || value === null) return [path]
  const inside: ReadonlyArray<readonly [string | number, JsonValue]> = Array.isArray(value) ? value.map((item, i) => [i, item] as const) : Object.entries(value)
  return [path, ...inside.flatMap(([key, member]) => pathsIn(member, [...path, key]))]
}

function blockOf ({ json, positions }: PlainBlock): FreeBlock {
  const places = new Map(positions)
  return {
    json,
    positionOf (path) {
      // Of what is missing, the place where it would be.
      for (let length = path.length; length > 0; length--) {
        const found = places.get(JSON.stringify(path.slice(0, length)))
        if (found !== undefined) return found
      }
      return places.get('[]')!
    },
  }
}
