import type { ApiDescription } from '../../config/api-schema/description.ts'
import type { RouteConfig, SentinelConfig } from '../../config/sentinel/index.ts'
import type { schemaFilter } from '../filters/schema/filter.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { Filter } from '../pipeline/exchange.ts'

/** Loaded where a route has a schema. */
export type SchemaFilter = typeof schemaFilter

/** The step that holds requests and answers of a route against its `api-schema`. */
export function schemaStep ({ id, apiSchema }: RouteConfig, { limits }: SentinelConfig, make: SchemaFilter | undefined, { table }: Metrics): Filter[] {
  if (apiSchema?.description === undefined || make === undefined) return []
  const { description, validateRequests, validateResponses, strictMode, onInvalidRequest, onInvalidResponse, statusCode, maxBodySize } = apiSchema
  return [make({
    description: JSON.parse(description) as ApiDescription, // Made when the configuration was read.
    checksRequests: validateRequests,
    checksResponses: validateResponses,
    strict: strictMode,
    rejectsRequests: onInvalidRequest === 'reject',
    rejectsResponses: onInvalidResponse === 'reject',
    status: statusCode,
    maxBodyBytes: maxBodySize,
    maxUnpackedBytes: Math.min(maxBodySize, limits.maxDecompressedSize),
    maxRatio: limits.maxDecompressionRatio,
  }, (side, result) => table.schemaChecks.cell(id, side, result).add())]
}
