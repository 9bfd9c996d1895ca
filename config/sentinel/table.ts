/**
 * The configuration language: every block and setting, declared once. Parsing, defaults, messages, the static type, REFERENCE.md and the
 * JSON schema come from here. To add a setting, add its row to the file of its block, and read it somewhere: a test proves that somebody does.
 */
import { optionalBlock } from '../schema/blocks.ts'
import type { Infer, OlderForms } from '../schema/field.ts'
import type { Group } from '../schema/markdown.ts'
import { inertBlock, list, readBefore, required, setting } from '../schema/fields.ts'
import { integer, path, text } from '../schema/values.ts'
import { agents } from './agent.ts'
import { cache } from './cache.ts'
import { errorPages } from './error-pages.ts'
import { filters } from './filter.ts'
import { limits } from './limits.ts'
import { listeners, olderListeners } from './listener.ts'
import { namespaces } from './namespace.ts'
import { observability } from './observability.ts'
import { rateLimits } from './rate-limits.ts'
import { olderReverseListeners, reverseListeners } from './reverse-listener.ts'
import { routes } from './route.ts'
import { olderSystem, schemaVersion, system } from './system.ts'
import { upstreams } from './upstream.ts'
import { waf } from './waf.ts'

export const table = {
  schemaVersion: setting(schemaVersion, '1.0', 'Version of this language that the file is written in.', { aliases: ['version'] }),
  system,
  listeners,
  routes,
  errorPages,
  upstreams,
  filters,
  agents,
  reverseListeners,
  observability,
  limits,
  evidence: optionalBlock({
    file: required(path, 'File that records are appended to, as JSON lines.'),
    maxQueue: setting(integer(1, 1_000_000), 10_000, 'Records that wait to be written; more are counted and lost.'),
  }, 'A record of every decision that is not a plain allow, in a chain of hashes. Nothing of the payload is kept.', {
    example: `evidence {
    file "/var/lib/sentinel/evidence.jsonl"
    max-queue 20000
}`,
  }),
  metadata: inertBlock('Notes of your own about the file: who keeps it, for which environment.', 'nobody but people reads it'),
  include: readBefore(list(text, [], 'More files of the configuration: names or patterns (`routes/*.kdl`), from the folder of the file they stand in. What a file holds is read as if it stood here.')),
  waf,
  namespaces,
  rateLimits,
  cache,
}

/** Other shapes of whole blocks. */
export const olderBlocks: OlderForms = { ...olderSystem, ...olderListeners, ...olderReverseListeners }

/** How the reference groups the top level. */
export const groups: readonly Group[] = [
  { title: 'The program', keys: ['system', 'schemaVersion', 'include', 'metadata'] },
  { title: 'Where requests come in', keys: ['listeners'] },
  { title: 'Which requests go where', keys: ['routes', 'errorPages'] },
  { title: 'Where requests go to', keys: ['upstreams'] },
  { title: 'Steps on the way', doc: 'A route names filters and agents in its `filters`; they see the request in that order, and the answer in the reverse order.', keys: ['filters'] },
  { title: 'Programs that decide', keys: ['agents', 'reverseListeners'] },
  { title: 'Protection', keys: ['limits', 'rateLimits', 'waf'] },
  { title: 'Kept answers', keys: ['cache'] },
  { title: 'What is told and kept', keys: ['observability', 'evidence'] },
  { title: 'Many teams in one file', keys: ['namespaces'] },
]

export type ConfigTable = Infer<typeof table>
