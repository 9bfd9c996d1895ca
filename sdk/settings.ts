import { block, blocks } from '../config/schema/blocks.ts'
import type { Field, Fields, Infer } from '../config/schema/field.ts'

// The settings of an agent's `config {}` block are declared with the words of the configuration table itself, so that operators get the
// same messages for both. A block of the table is a `section` here: `block` is a decision.

/** Settings in a block of their own. One that is not written has all its defaults. */
export function section<F extends Fields> (fields: F, doc: string): Field<Infer<F>> {
  return block(fields, doc)
}

/** A block that may be written several times: `rule { … }` `rule { … }`. */
export function sections<F extends Fields> (fields: F, doc: string): Field<readonly Infer<F>[]> {
  return blocks(fields, doc)
}
