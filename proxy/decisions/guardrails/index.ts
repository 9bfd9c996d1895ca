export { piiFilter } from './pii.ts'
export { promptInjectionFilter } from './prompt-injection.ts'
export type { GuardrailSettings } from './inspection.ts'
