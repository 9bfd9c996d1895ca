/** What the rest of the program uses of the formatter. */
export { formatText } from './format.ts'
export type { Formatted } from './format.ts'
export type { Language } from './rewrite.ts'
export { fileReason } from '../kdl/file-reason.ts'
export { printProblems } from '../kdl/print.ts'
export { olderBlocks, table } from '../sentinel/table.ts'
