import { createRequire } from 'node:module'
import type { readApi } from '../api-schema/index.ts'
import { optionalBlock } from '../schema/blocks.ts'
import type { Infer } from '../schema/field.ts'
import { json, optional, setting } from '../schema/fields.ts'
import type { Here } from '../schema/read-block.ts'
import { bool, existingFile, integer, oneOf, text } from '../schema/values.ts'
import { someBytes } from './route-types.ts'
import { urlPath } from './types.ts'

const onInvalid = oneOf('reject', 'log-only')

const fields = {
  schemaFile: optional(existingFile, 'OpenAPI description (3.0 or 3.1) or JSON schema of request bodies (drafts 4 to 2020-12; 7 where it does not say), as YAML or JSON. References may lead to files in the same folder.'),
  schemaContent: optional(text, 'The same, as a text right here.'),
  requestSchema: json('JSON schema of request bodies, written as KDL.'),
  responseSchema: json('JSON schema of bodies of answers, written as KDL.'),
  validateRequests: setting(bool, true, 'Refuse requests that do not fit, with a list of what is wrong.'),
  validateResponses: setting(bool, false, 'Check answers, too. Their bodies are taken in before they go on.'),
  strictMode: setting(bool, false, 'Refuse members of objects that the schema does not name; of an OpenAPI description also paths, methods, query parameters and statuses that it does not name, and bodies where it has none.', { aliases: ['strict'] }),
  onInvalidRequest: setting(onInvalid, 'reject', 'reject = answer with `status-code`, log-only = count it, tell the access log, and let it pass.'),
  onInvalidResponse: setting(onInvalid, 'reject', 'reject = the client gets 502, log-only = count it, tell the access log, and let it pass.'),
  statusCode: setting(integer(400, 499), 400, 'Status for requests that do not fit; 422 is usual, too. Paths, methods, content types and sizes have their own.'),
  maxBodySize: setting(someBytes, '1MiB', 'Longest body that is checked, packed or not; a longer request gets 413, a longer answer becomes 502. It is kept in memory until it was checked.', { aliases: ['max-body-bytes', 'max-body-size-bytes'] }),
  basePath: optional(urlPath, 'Where the paths of an OpenAPI description begin, in place of what it says about `servers`.'),
}

export const apiSchema = optionalBlock(fields, 'Check requests and answers against a description of the API: JSON, and forms (`application/x-www-form-urlencoded`) that a description has a schema for; of bodies of other types only that the type is described. It stands behind the route\'s filters and agents, and judges the path before `strip-prefix` and `rewrite-path` of its policies.', {
  example: `api-schema {
    request-schema {
        type "object"
        required "name" "email"
        properties {
            name { type "string"; minLength 1 }
            email { type "string"; format "email" }
        }
    }
    strict-mode #true
}`,
  build (value, here) {
    checkGiven(value, here)
    const { validateRequests, validateResponses, strictMode, onInvalidRequest, onInvalidResponse, statusCode, maxBodySize } = value
    const description = descriptionOf(value, here)
    return { validateRequests, validateResponses, strictMode, onInvalidRequest, onInvalidResponse, statusCode, maxBodySize, description }
  },
})

type Value = Infer<typeof fields>

function checkGiven (value: Value, here: Here<typeof fields>): void {
  const whole = here.given('schemaFile') || here.given('schemaContent')
  if (here.given('schemaFile') && here.given('schemaContent')) {
    here.report.error('CONFIG_CONTRADICTION', `${here.scope} has both 'schema-file' and 'schema-content'`, here.where('schemaContent'), 'one schema is enough')
  }
  if (!whole && !here.given('requestSchema') && !here.given('responseSchema')) {
    here.report.warning('CONFIG_NO_EFFECT', `${here.scope} has no schema to check against`, here.at, 'write schema-file "api.yaml" or request-schema { … }')
  } else if (!whole && value.validateResponses && !here.given('responseSchema')) {
    here.report.warning('CONFIG_NO_EFFECT', `${here.scope} has no schema to check answers against`, here.where('validateResponses'), 'write response-schema { … }')
  }
}

/** The description as JSON: so it goes to other processes as it was read, whatever names are in it. `undefined`: there is none, or it has errors. */
function descriptionOf (value: Value, here: Here<typeof fields>): string | undefined {
  const { schemaFile, schemaContent, requestSchema, responseSchema, strictMode, validateResponses, basePath } = value
  const at = here.where(schemaFile === undefined ? 'schemaContent' : 'schemaFile')
  const whole = schemaFile !== undefined ? { file: schemaFile, at } : schemaContent === undefined ? undefined : { text: schemaContent, at }
  if (whole === undefined && requestSchema === undefined && responseSchema === undefined) return undefined
  // A file that is not there was reported already.
  if ((schemaFile !== undefined && schemaContent !== undefined) || !here.clean || (here.textOnly && schemaFile !== undefined)) return undefined
  const read = reader()({ whole, request: requestSchema, response: responseSchema, strict: strictMode, checksResponses: validateResponses, basePath })
  for (const { severity, code, message, position, hint } of read.problems) {
    here.report.add(severity, code, `${here.scope}: ${message}`, position, hint === undefined ? {} : { hint })
  }
  here.report.alsoRead(read.files)
  if (whole !== undefined && read.isOpenApi && requestSchema !== undefined) {
    here.report.error('CONFIG_CONTRADICTION', `${here.scope} has an OpenAPI description and a 'request-schema'`, here.where('requestSchema'), 'the description says what bodies have to be')
  } else if (whole !== undefined && !read.isOpenApi && requestSchema !== undefined) {
    here.report.error('CONFIG_CONTRADICTION', `${here.scope} has two schemas of request bodies`, here.where('requestSchema'), 'one schema is enough')
  } else if (whole !== undefined && !read.isOpenApi && validateResponses && responseSchema === undefined) {
    here.report.warning('CONFIG_NO_EFFECT', `${here.scope} has no schema to check answers against: a JSON schema is about requests`, here.where('validateResponses'), 'write response-schema { … }')
  }
  if (basePath !== undefined && !read.isOpenApi) here.report.warning('CONFIG_NO_EFFECT', `${here.scope} has no OpenAPI description: 'base-path' says nothing then`, here.where('basePath'))
  return JSON.stringify(read.description)
}

let loaded: typeof readApi | undefined

/** Loaded when the first description is read: a parser of YAML is nothing that everybody has to carry. */
function reader (): typeof readApi {
  return loaded ??= (createRequire(import.meta.url)('../api-schema/index.js') as { readonly readApi: typeof readApi }).readApi
}
