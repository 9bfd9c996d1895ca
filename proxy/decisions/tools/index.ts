export { askAsTheClientDid, inspectAnswer, inspectRequest } from './whole.ts'
