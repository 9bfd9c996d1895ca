import { dirname } from 'node:path'
import type { JsonObject } from '../kdl/json.ts'
import type { Position, Problem } from '../kdl/position.ts'
import { Converter, type Direction } from './convert.ts'
import type { ApiDescription } from './description.ts'
import { operationsOf } from './openapi.ts'
import type { Source } from './sources.ts'
import { isOpenApi, Sources } from './sources.ts'

/** A schema that was written as KDL. */
export interface WrittenSchema {
  readonly json: JsonObject
  positionOf (path: readonly (string | number)[]): Position
}

/** What the block says; `whole` is an OpenAPI description or a JSON schema of request bodies. */
export interface ApiGiven {
  readonly whole: { readonly file: string, readonly at: Position } | { readonly text: string, readonly at: Position } | undefined
  readonly request: WrittenSchema | undefined
  readonly response: WrittenSchema | undefined
  readonly strict: boolean
  readonly checksResponses: boolean
  readonly basePath: string | undefined
}

export interface ApiRead {
  readonly description: ApiDescription
  readonly isOpenApi: boolean
  readonly problems: readonly Problem[]
  /** Absolute paths of what was read. */
  readonly files: readonly string[]
}

/** Reads and checks what an API takes and gives. Whatever is wrong with it is among the problems, at its line and column. */
export function readApi ({ whole, request, response, strict, checksResponses, basePath }: ApiGiven): ApiRead {
  const sources = new Sources(whole !== undefined && 'file' in whole ? dirname(whole.file) : undefined)
  const converter = new Converter(sources, strict)
  const source = whole === undefined ? undefined : 'file' in whole ? sources.open(whole.file, whole.at) : sources.parsed(whole.text, whole.at.file, whole.at)
  const described = source !== undefined && isOpenApi(source.document.root)
  const operations = described ? operationsOf(source, sources, converter, { basePath, responses: checksResponses }) : undefined
  const named = (written: WrittenSchema | undefined, direction: Direction): string | undefined => (
    written === undefined ? undefined : converter.name({ source: sourceOf(written), path: [], value: written.json }, direction)
  )
  const requestName = named(request, 'request') ??
    (source === undefined || described ? undefined : converter.name({ source, path: [], value: source.document.root }, 'request'))
  const responseName = named(response, 'response')
  converter.finish()
  const description = {
    schemas: converter.schemas,
    ...operations === undefined ? {} : { operations },
    ...requestName === undefined ? {} : { request: requestName },
    ...responseName === undefined ? {} : { response: responseName },
  }
  return { description, isOpenApi: described, problems: sources.problems, files: sources.files }
}

function sourceOf ({ json, positionOf }: WrittenSchema): Source {
  return { document: { root: json, positionOf }, file: '', dialect: 'draft-7', loose: true }
}
