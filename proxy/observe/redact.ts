export { isSensitiveKey, REDACTED, redactQuery, redactUrl, scrubText } from '../pipeline/redact.ts'
