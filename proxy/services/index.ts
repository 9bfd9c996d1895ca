export { fixedAnswer } from './respond.ts'
