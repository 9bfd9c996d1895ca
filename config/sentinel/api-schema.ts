import { optionalBlock } from '../schema/blocks.ts'
import { json, optional, setting } from '../schema/fields.ts'
import { bool, existingFile, text } from '../schema/values.ts'

export const apiSchema = optionalBlock({
  schemaFile: optional(existingFile, 'OpenAPI 3 description or JSON schema, as YAML or JSON.'),
  schemaContent: optional(text, 'The same, as a text right here.'),
  requestSchema: json('JSON schema of request bodies, written as KDL.'),
  responseSchema: json('JSON schema of bodies of answers, written as KDL.'),
  validateRequests: setting(bool, true, 'Refuse requests whose body does not fit, with 400 and a list of what is wrong.'),
  validateResponses: setting(bool, false, 'Refuse answers whose body does not fit.'),
  strictMode: setting(bool, false, 'Refuse members that the schema does not name.'),
}, 'Check bodies against a schema.', {
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
    const whole = here.given('schemaFile') || here.given('schemaContent')
    if (here.given('schemaFile') && here.given('schemaContent')) {
      here.report.error('CONFIG_CONTRADICTION', `${here.scope} has both 'schema-file' and 'schema-content'`, here.where('schemaContent'), 'one schema is enough')
    }
    if (!whole && !here.given('requestSchema') && !here.given('responseSchema')) {
      here.report.warning('CONFIG_NO_EFFECT', `${here.scope} has no schema to check against`, here.at, 'write schema-file "api.yaml" or request-schema { … }')
    } else if (!whole && value.validateResponses && !here.given('responseSchema')) {
      here.report.warning('CONFIG_NO_EFFECT', `${here.scope} has no schema to check answers against`, here.where('validateResponses'), 'write response-schema { … }')
    }
    return value
  },
})
