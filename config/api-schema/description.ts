import type { JsonValue } from '../kdl/json.ts'

/**
 * What an API takes and gives, as plain data: all that the data path needs. Schemas are of draft 2020-12 whatever was written, and refer to one
 * another as `#/$defs/NAME`; there is nothing in them that is not known and checked.
 */
export interface ApiDescription {
  readonly schemas: Readonly<Record<string, JsonValue>>
  /** Of an OpenAPI description; without it the two schemas below are for every request and answer. */
  readonly operations?: readonly ApiOperation[]
  /** Names of schemas. */
  readonly request?: string
  readonly response?: string
}

export interface ApiOperation {
  /** "GET". */
  readonly method: string
  /** Template with the base path of a server in front: "/v1/pets/{id}". */
  readonly path: string
  readonly parameters: readonly ApiParameter[]
  readonly body: ApiBody | undefined
  /** By "200", "2XX" or "default". */
  readonly responses: Readonly<Record<string, readonly ApiContent[]>>
}

export interface ApiBody {
  readonly required: boolean
  readonly contents: readonly ApiContent[]
}

export interface ApiContent {
  /** Media type or range, in lower case, without parameters. */
  readonly type: string
  /** Name of a schema; without one anything goes. */
  readonly schema: string | undefined
  /** Of a form: what its fields stand for, by name; of those that are lists, what their elements do. */
  readonly fields?: Readonly<Record<string, ApiField>>
}

export interface ApiField {
  readonly types: readonly ApiType[]
  readonly items: readonly ApiType[]
}

export type ApiType = 'null' | 'boolean' | 'integer' | 'number' | 'string' | 'array' | 'object'

export interface ApiParameter {
  readonly in: 'path' | 'query' | 'header' | 'cookie'
  /** Of header fields in lower case. */
  readonly name: string
  readonly required: boolean
  readonly style: 'simple' | 'form' | 'spaceDelimited' | 'pipeDelimited' | 'deepObject' | 'json'
  readonly explode: boolean
  readonly schema: string | undefined
  /** What a text in it stands for; empty = anything. */
  readonly types: readonly ApiType[]
  /** Of elements, and of members by name. */
  readonly items: readonly ApiType[]
  readonly members: Readonly<Record<string, readonly ApiType[]>>
}
