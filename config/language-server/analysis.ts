import { maxTextLength } from '../kdl/parse.ts'
import type { Fields } from '../schema/index.ts'
import { readFields, Report } from '../schema/index.ts'
import { table } from '../sentinel/index.ts'
import { kdlNodes, spanOf } from './kdl-nodes.ts'
import type { Scope } from './scope.ts'
import { meaningOf, scopeIn, topScope } from './scope.ts'
import type { Tree, TreeNode } from './tree.ts'
import { readTree } from './tree.ts'
import type { Span } from './word.ts'
import { textOf } from './word.ts'

/** A text, looked at once for all questions about it. */
export interface Analysis {
  readonly text: string
  /** Path of the file; it need not exist. */
  readonly file: string
  readonly tree: Tree
  readonly top: Scope
  /** What has a name and who refers to it, as the engine sees it in what is written so far. Its problems mean nothing. */
  names (): Report
}

export function analyse (text: string, file: string, fields: Fields = table): Analysis {
  // The check says that such a text is too large; nobody waits for anything else about it.
  const tree = readTree(text.length > maxTextLength ? '' : text)
  let names: Report | undefined
  return { text, file, tree, top: topScope(fields), names: () => names ??= readNames(tree, file, fields) }
}

function readNames (tree: Tree, file: string, fields: Fields): Report {
  const report = new Report()
  try {
    readFields(fields, kdlNodes(tree.nodes, file), report, file, { textOnly: true })
  } catch {
    // A half-written text may be something that no check expects. What was found until then is of use.
  }
  return report
}

/** Something that has a name. `name` is with its namespaces. */
export interface NamedThing {
  readonly kind: string
  readonly name: string
}

export interface Mention extends NamedThing {
  readonly span: Span
  /** What is written there: the name, perhaps with namespaces before it. */
  readonly id: string
}

export function definitions (report: Report): Mention[] {
  return [...report.kinds()].flatMap(kind => [...report.names(kind)].map(([name, at]) =>
    ({ kind, name, span: spanOf(at), id: name.slice(name.lastIndexOf(':') + 1) })))
}

export function mentions (report: Report): Mention[] {
  return report.references.flatMap(reference => {
    const found = report.found(reference)
    return found === undefined ? [] : [{ ...found, span: spanOf(reference.entry.at), id: reference.id }]
  })
}

/** The thing whose name, or a reference to which, stands at an offset. */
export function thingAt (report: Report, offset: number): (Mention & { readonly defined: boolean }) | undefined {
  const here = ({ span }: Mention): boolean => span.from <= offset && offset <= span.to
  const definition = definitions(report).find(here)
  if (definition !== undefined) return { ...definition, defined: true }
  const mention = mentions(report).find(here)
  return mention === undefined ? undefined : { ...mention, defined: false }
}

/** The namespaces around a place, as names of things in them are written: "tenant:service". */
export function namespacesAround (path: readonly TreeNode[], top: Scope): string {
  const names: string[] = []
  let scope = top
  for (const node of path) {
    const meaning = meaningOf(scope, node)
    const [id] = node.args
    if (meaning.is === 'thing' && meaning.row.namespace === true && id !== undefined) names.push(textOf(id))
    scope = scopeIn(meaning, node)
  }
  return names.join(':')
}

