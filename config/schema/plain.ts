/** What a process needs that is given a configuration as data, and reads no text: nothing here loads a parser. */
export { compile, type Pattern } from './regex.ts'
export type { FreeBlock } from './fields.ts'
export type { JsonValue } from '../kdl/json.ts'
