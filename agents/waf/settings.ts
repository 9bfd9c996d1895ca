import { anyText, bool, integer, list, numberBetween, oneOf, optional, sections, setting, size, text, textLike } from 'sentinel/sdk'
import type { Infer } from 'sentinel/sdk'

/** What an operator may write in `config { … }` of a waf agent. */
export const wafSettings = {
  paranoiaLevel: setting(
    integer(1, 4), 1,
    'Which rules are active: 1 finds attacks and lets ordinary text pass, 4 suspects every special character.',
  ),
  threshold: setting(
    integer(1, 1000), 5,
    'Score from which a request is refused. A critical rule adds 5, an error 4, a warning 3, a notice 2.',
  ),
  mode: setting(oneOf('block', 'detect'), 'block', 'Refuse what reaches the threshold, or let it pass and flag it in log and evidence.'),
  blockStatus: setting(integer(400, 599), 403, 'Status of the answer to a refused request.'),
  blockMessage: setting(text, 'This request was blocked.', 'First line of the answer to a refused request; the request id follows.'),
  rulesDisabled: list(text, [], 'Ids of rules that are off. The ids that matched are in the evidence of a refusal.'),
  excludePaths: list(
    textLike('a path beginning with "/"', /^\//, '/uploads'), [],
    'Paths that are not inspected, with everything below them. Paths that hide others (%2f, "..", ";") are never excluded.',
  ),
  exclusion: sections({
    rules: list(text, [], 'Ids of rules.', { min: 1 }),
    path: optional(textLike('a path beginning with "/"', /^\//, '/uploads'), 'Below this path. Never for paths that hide others (%2f, "..", ";").'),
    host: optional(text, 'For this host.'),
  }, 'Rules that are off in one place.'),
  customRules: list(anyText, [], 'Rules of your own, each text a file of them: see "Rules of your own".'),
  auditLog: setting(bool, true, 'Whether decisions carry which rules matched, and where, into log and evidence.'),
  contentTypes: list(
    textLike('a media type', /^[\w!#$&^.+-]+\/[\w!#$&^.+*-]+$/, 'application/json'), [],
    'Media types of bodies that are inspected; all without it. A body that names no type, or several, is inspected in any case.',
  ),
  maxDecompressionRatio: setting(numberBetween(1, 1_000_000), 100, 'How many times larger than before a body may become when it is unpacked; one that would is refused.'),
  maxDecompressedSize: optional(size, 'Longest body after unpacking, where that is less than `max-body-size`.'),
  bodyInspection: setting(bool, true, 'Whether bodies are inspected.'),
  maxBodySize: setting(size, '1MiB', 'Longest body inspected, before and after decompression. A longer one is refused.'),
}

export type WafConfig = Infer<typeof wafSettings>
