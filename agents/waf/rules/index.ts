import { commandRules } from './command.ts'
import { fileRules } from './files.ts'
import { injectionRules } from './injection.ts'
import { checkRules, protocolRules } from './protocol.ts'
import type { Rule } from './rule.ts'
import { sqliRules } from './sqli.ts'
import { xssRules } from './xss.ts'

/** The whole table. Ids are unique; a test holds that and that every pattern compiles. */
export const rules: readonly Rule[] = [
  ...sqliRules, ...xssRules, ...fileRules, ...commandRules, ...injectionRules, ...protocolRules, ...checkRules
]
