import { block, blocks, type Field, type Fields, type Infer } from '../config/schema/index.ts'

// The settings of an agent's `config {}` block are declared with the words of the configuration table itself, so that operators get the
// same messages for both. A block of the table is a `section` here: `block` is a decision.
export {
  anyText, bool, compile, duration, durationWithin, existingFile, integer, ipFinder, ipMatcher, ipRange, list, map,
  number, numberBetween, oneOf, optional, parseDuration, parseIpRange, parseSize, regex, required, setting, size, sizeWithin,
  text, textLike,
} from '../config/schema/index.ts'
export type { Field, Fields, Fit, Infer, IpRange, JsonObject, JsonValue, Mismatch, Pattern, ValueType } from '../config/schema/index.ts'

/** Settings in a block of their own. One that is not written has all its defaults. */
export function section<F extends Fields> (fields: F, doc: string): Field<Infer<F>> {
  return block(fields, doc)
}

/** A block that may be written several times: `rule { … }` `rule { … }`. */
export function sections<F extends Fields> (fields: F, doc: string): Field<readonly Infer<F>[]> {
  return blocks(fields, doc)
}
