import type { Pattern } from '../../config/schema/index.ts'
import { sieveOf } from './sieve.ts'
import { searchSieve, type Candidate, type Search, type Sieve } from './search.ts'

/**
 * Paths by their segments. Walking down costs what the tree is deep, however many segments a path has; segments are found by a number
 * that is worked out in place, so that no string is made.
 */
export interface PathTree {
  /** Whatever the path is. */
  readonly any: Sieve | undefined
  readonly root: Node
  /** Longest segment in the tree: a longer one is in no route. */
  readonly longest: number
}

interface Node {
  readonly segment: string
  /** The path ends here. */
  readonly exact: Sieve | undefined
  /** The path ends here or goes on after a "/". */
  readonly below: Sieve | undefined
  readonly children: ReadonlyMap<number, Node> | undefined
  /** Another segment of the same number. */
  readonly twin: Node | undefined
}

interface Growing {
  readonly exact: Candidate[]
  readonly below: Candidate[]
  children: Map<string, Growing> | undefined
}

export interface TreeBuilder {
  addAny (candidate: Candidate): void
  add (path: string, end: 'exact' | 'below', candidate: Candidate): void
  build (): PathTree
}

/** Candidates must come in ascending order of their rank. */
export function treeBuilder (): TreeBuilder {
  const any: Candidate[] = []
  const root = growing()
  let longest = 0
  return {
    addAny: (candidate) => { any.push(candidate) },
    add (path, end, candidate) {
      let node = root
      if (path !== '') {
        for (const segment of path.slice(1).split('/')) {
          longest = Math.max(longest, segment.length)
          node.children ??= new Map()
          let child = node.children.get(segment)
          if (child === undefined) node.children.set(segment, child = growing())
          node = child
        }
      }
      // Two lines of one route may say the same.
      if (node[end].at(-1)?.rank !== candidate.rank) node[end].push(candidate)
    },
    build: () => ({ any: grown(any), root: nodeOf('', root, undefined), longest }),
  }
}

function growing (): Growing {
  return { exact: [], below: [], children: undefined }
}

function grown (candidates: readonly Candidate[]): Sieve | undefined {
  return candidates.length === 0 ? undefined : sieveOf(candidates)
}

function nodeOf (segment: string, { exact, below, children }: Growing, twin: Node | undefined): Node {
  return { segment, exact: grown(exact), below: grown(below), children: children === undefined ? undefined : nodesOf(children), twin }
}

function nodesOf (children: ReadonlyMap<string, Growing>): Map<number, Node> {
  const nodes = new Map<number, Node>()
  for (const [name, child] of children) {
    const key = keyOf(name)
    nodes.set(key, nodeOf(name, child, nodes.get(key)))
  }
  return nodes
}

const seed = 0x811c9dc5 | 0
const factor = 0x01000193

/** FNV-1a over character codes, as `searchTree` does it in place. */
function keyOf (segment: string): number {
  let key = seed
  for (let i = 0; i < segment.length; i++) key = Math.imul(key ^ segment.charCodeAt(i), factor)
  return key
}

export function searchTree ({ any, root, longest }: PathTree, search: Search): void {
  if (any !== undefined) visit(any, search)
  const { path } = search.head
  // "*" of OPTIONS is no path.
  if (path.charCodeAt(0) !== 0x2f) return
  if (root.below !== undefined) visit(root.below, search)
  let node: Node | undefined = root
  let start = 1
  while (node.children !== undefined) {
    const furthest = Math.min(path.length, start + longest + 1)
    let end = start
    let key = seed
    let code = 0
    while (end < furthest && (code = path.charCodeAt(end)) !== 0x2f) {
      key = Math.imul(key ^ code, factor)
      end++
    }
    if (end - start > longest) return
    node = node.children.get(key)
    while (node !== undefined && !(node.segment.length === end - start && path.startsWith(node.segment, start))) node = node.twin
    if (node === undefined) return
    if (node.below !== undefined) visit(node.below, search)
    if (end === path.length) {
      if (node.exact !== undefined) visit(node.exact, search)
      return
    }
    start = end + 1
  }
}

function visit (sieve: Sieve, search: Search): void {
  if (sieve.least < search.best) searchSieve(sieve, search)
}

/**
 * The folder that every path found by an expression is in: "/api" for `^/api/v\d+/`. `undefined` when that cannot be told from how the
 * expression begins. Looks only at what is plain beyond doubt.
 */
export function folderOf ({ source }: Pattern): string | undefined {
  if (source.includes('|')) return undefined
  const [, plain = ''] = /^\^(\/(?:[A-Za-z0-9_~/-]|\\[./_-])*)/.exec(source) ?? []
  // Whatever follows may say how often the last character comes; a folder ends before its last "/" in any case.
  const text = plain.replaceAll('\\', '')
  const next = source.charAt(plain.length + 1)
  const sure = '*?+{'.includes(next) && next !== '' ? text.slice(0, -1) : text
  const end = sure.lastIndexOf('/')
  return end <= 0 ? undefined : sure.slice(0, end)
}
