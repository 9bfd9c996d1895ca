// The settings of an agent's `config {}` block are declared with the words of the configuration table itself, so that operators get the
// same messages for both. A block of the table is a `section` here: `block` is a decision.
export {
  anyText, block as section, blocks as sections, bool, compile, duration, durationWithin, existingFile, integer, ipFinder, ipMatcher, ipRange, list, map,
  number, numberBetween, oneOf, optional, optionalBlock as optionalSection, parseDuration, parseIpRange, parseSize, regex, required, setting, size, sizeWithin,
  text, textLike,
} from '../config/schema/index.ts'
export type { Field, Fields, Fit, Infer, IpRange, JsonObject, JsonValue, Mismatch, Pattern, ValueType } from '../config/schema/index.ts'
