import type { Log } from '../observe/log.ts'
import type { KeptAnswers } from '../pipeline/kept-answers.ts'

/** As `answers`, for people: what they have thrown away is said to the log. (A change of a resource purges, too, and is no news.) */
export function toldPurges (answers: KeptAnswers, log: Log): KeptAnswers {
  return {
    async purge (what) {
      const outcome = await answers.purge(what)
      log.info(`kept answers purged: ${outcome.purged}`, { event: 'cache-purged', component: 'cache', by: what.by, value: what.value, purged: outcome.purged })
      return outcome
    },
    facts: () => answers.facts(),
  }
}
