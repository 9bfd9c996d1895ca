export { isSensitiveKey, REDACTED, redactPath, redactQuery, redactUrl, scrubText } from '../pipeline/redact.ts'
