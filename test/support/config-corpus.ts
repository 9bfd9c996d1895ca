/** The corpus of real configurations, when it lies beside the repository: files of others, with what a good reader says of each. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sourceRoot } from '../../config/generate.ts'
import { parseKdl } from '../../config/kdl/parse.ts'

export const corpusFolder = join(sourceRoot(), '..', 'shared', 'corpus', 'config')
export const corpusIsThere = existsSync(corpusFolder)

export interface CorpusFile {
  readonly name: string
  readonly text: string
  readonly kind: 'complete' | 'fragment'
  readonly valid: boolean
  readonly why: string
  readonly class: string
}

export function corpusFiles (): CorpusFile[] {
  if (!corpusIsThere) return []
  const [, ...lines] = readFileSync(join(corpusFolder, 'manifest.tsv'), 'utf8').trimEnd().split('\n')
  return lines.map(line => {
    const [name = '', , kind = '', , expected = '', why = '', , itsClass = ''] = line.split('\t')
    // A shell fills this in where the file comes from.
    const text = readFileSync(join(corpusFolder, name), 'utf8').replace(/\$(?:TEST|PROXY)_PORT/g, '18080')
    return { name, text, kind: kind === 'complete' ? kind : 'fragment', valid: expected === 'valid', why, class: itsClass }
  })
}

/** The places the manifest gives the top-level nodes of a fragment: "as routes.route.matches, upstreams" → both paths; none for "node(s) without a place". */
export function placesOf ({ why }: CorpusFile): string[] {
  const [, places = ''] = /(?:^|\| )as ([a-z.-]+(?:, [a-z.-]+)*)/.exec(why) ?? []
  return places === '' ? [] : places.split(', ')
}

type Frame = (inner: string, number: number) => string

/** Blocks that take a name, and what stands beside a piece of them so that the whole makes sense. */
const frames: Readonly<Record<string, Frame>> = {
  'routes.route': (inner, number) => `route "piece-${number}" {\n${inner}\n}`,
  'upstreams.upstream': (inner, number) => `upstream "piece-${number}" {\n${inner}\n}`,
  'upstreams.upstream.target': inner => `target {\n${inner}\n}`,
  'listeners.listener': (inner, number) => `listener "piece-${number}" {\naddress "127.0.0.1:${9000 + number}"\n${inner}\n}`,
  'agents.agent': (inner, number) => `agent "piece-${number}" {\nunix-socket "/run/piece-${number}.sock"\n${inner}\n}`,
  'filters.filter': (inner, number) => `filter "piece-${number}" {\n${inner}\n}`,
  namespace: (inner, number) => `namespace "piece-${number}" {\n${inner}\n}`,
  'namespace.service': (inner, number) => `service "piece-${number}" {\n${inner}\n}`,
}

/** Puts a piece of text into the blocks that `place` names; the last name of `place` is the piece's own. */
function within (place: string, piece: string, number: number): string {
  const names = place.split('.')
  let text = piece
  for (let depth = names.length - 1; depth > 0; depth--) {
    const frame = frames[names.slice(0, depth).join('.')]
    text = frame === undefined ? `${names[depth - 1]} {\n${text}\n}` : frame(text, number)
  }
  return text
}

/** The fragment as a configuration: each top-level node where the manifest says it belongs. `undefined` when it says that for none. */
export function wrapped (file: CorpusFile): string | undefined {
  const places = placesOf(file)
  if (places.length === 0) return undefined
  const { nodes } = parseKdl(file.text, file.name)
  if (nodes.length === 0) return within(places[0] ?? '', file.text, 1)
  const lines = file.text.split('\n')
  const pieces = nodes.map((node, index) => {
    const next = nodes[index + 1]
    const from = index === 0 ? 1 : node.at.line
    const piece = next !== undefined && next.at.line === node.at.line
      ? Array.from(lines[node.at.line - 1] ?? '').slice(node.at.column - 1, next.at.column - 1).join('')
      : lines.slice(from - 1, next === undefined ? undefined : next.at.line - 1).join('\n')
    const place = places.find(candidate => candidate.split('.').at(-1) === node.name)
    return place === undefined ? '' : within(place, piece, index + 1)
  })
  return pieces.join('\n')
}
