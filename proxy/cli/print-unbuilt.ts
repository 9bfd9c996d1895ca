import { unbuilt, type Unbuilt } from '../../config/schema/index.ts'
import { table } from '../../config/sentinel/index.ts'
import { jsonText } from '../observe/quote.ts'
import { aligned } from './print-check.ts'

/** Everything of the language that is accepted and not in effect yet. */
export function printUnbuilt (json: boolean): string {
  const found = unbuilt(table)
  if (json) return `${jsonText({ unbuilt: found })}\n`
  if (found.length === 0) return 'Everything of the language is in effect.\n'
  return `Accepted, not in effect yet: ${found.length} parts of the language.\n${aligned(gathered(found).map(({ path, doc }) => ['', path, doc] as const))}`
}

/** Words of one setting on one line. */
function gathered (found: readonly Unbuilt[]): Array<{ path: string, doc: string }> {
  const lines = new Map<string, { path: string, doc: string, words: string[] }>()
  for (const { path, word, doc } of found) {
    const line = lines.get(path)
    if (line !== undefined && word !== undefined) line.words.push(word)
    else lines.set(path, { path, doc, words: word === undefined ? [] : [word] })
  }
  return [...lines.values()].map(({ path, doc, words }) => ({ path, doc: words.length === 0 ? doc : `${words.map((word) => JSON.stringify(word)).join(' ')}` }))
}
