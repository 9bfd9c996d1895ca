import type { ApiDescription } from '../../config/api-schema/description.ts'
import type { RouteConfig, SentinelConfig } from '../../config/sentinel/index.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { Filter } from '../pipeline/exchange.ts'
import type { Parts } from './parts.ts'

/** The step that holds requests and answers of a route against its `api-schema`. */
export function schemaStep ({ id, apiSchema }: RouteConfig, { limits }: SentinelConfig, { schema }: Parts, { table }: Metrics): Filter[] {
  if (apiSchema?.description === undefined || schema === undefined) return []
  const { description, validateRequests, validateResponses, strictMode, onInvalidRequest, onInvalidResponse, statusCode, maxBodySize } = apiSchema
  return [schema.schemaFilter({
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
