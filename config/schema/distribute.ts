import type { KdlEntry, KdlNode, KdlProp } from '../kdl/nodes.ts'
import type { Fields, OlderForm, Row } from './field.ts'
import { kebab, settingName } from './field.ts'

/** What a block consists of; made up where it was left out. */
export type Content = Pick<KdlNode, 'name' | 'at' | 'args' | 'props' | 'children' | 'tag'>

/** What to do with whatever does not belong to a field. */
export interface Strays {
  readonly unknown?: (node: KdlNode) => void
  /** A value after the block's name that stands for no setting. */
  readonly extra?: (entry: KdlEntry) => void
  /** Told of every older form, before it is replaced. */
  readonly older?: (node: KdlNode, form: OlderForm) => void
}

/** The nodes of each setting that is given, by the field's key. Blocks hold few settings, and there are many blocks: a `Map` for each costs more. */
export class Given {
  readonly #keys: string[] = []
  readonly #nodes: KdlNode[][] = []

  get (key: string): KdlNode[] | undefined {
    return this.#nodes[this.#keys.indexOf(key)]
  }

  has (key: string): boolean {
    return this.#keys.includes(key)
  }

  set (key: string, nodes: KdlNode[]): void {
    const index = this.#keys.indexOf(key)
    if (index >= 0) this.#nodes[index] = nodes
    else {
      this.#keys.push(key)
      this.#nodes.push(nodes)
    }
  }

  forEach (each: (nodes: readonly KdlNode[], key: string) => void): void {
    for (let index = 0; index < this.#keys.length; index++) each(this.#nodes[index]!, this.#keys[index]!)
  }

  * [Symbol.iterator] (): IterableIterator<[key: string, nodes: readonly KdlNode[]]> {
    for (const [index, key] of this.#keys.entries()) yield [key, this.#nodes[index]!]
  }
}

/**
 * Hands everything that a block holds to the fields it belongs to: values after its name, properties, children, older forms of these.
 * The result has the nodes of each field by the field's key. One function for everybody who looks into a block.
 */
export function distribute (fields: Fields, { args = [], older = {} }: Pick<Row, 'args' | 'older'>, content: Content, strays: Strays = {}): Given {
  const given = new Given()
  const names = namesOf(fields)
  for (let index = 0; index < content.args.length; index++) {
    const entry = content.args[index]!
    const key = args[index]
    const field = key === undefined ? undefined : fields[key]
    if (key === undefined || field === undefined) strays.extra?.(entry)
    else give(given, key, { name: settingName(key, field), at: entry.at, args: [entry], props: [], children: undefined, shortOf: content.name })
  }
  let made: KdlNode[] | undefined
  const nodes = content.props.length === 0 ? content.children ?? [] : [...content.props.map(nodeOfProp), ...content.children ?? []]
  for (const node of nodes) {
    const form = Object.hasOwn(older, node.name) ? older[node.name] : undefined
    if (form !== undefined && form.when?.(node) !== false) {
      strays.older?.(node, form)
      made = [...made ?? [], ...form.into(node)]
      continue
    }
    const key = names.get(node.name)
    if (key === undefined) strays.unknown?.(node)
    else give(given, key, node)
  }
  for (const node of made ?? []) insert(given, fields, node, strays)
  return given
}

function give (given: Given, key: string, node: KdlNode): void {
  const nodes = given.get(key)
  if (nodes === undefined) given.set(key, [node])
  else nodes.push(node)
}

/** What an older form was turned into comes last, so that the order of both in the file does not matter. */
function insert (given: Given, fields: Fields, node: KdlNode, strays: Strays): void {
  const key = namesOf(fields).get(node.name)
  if (key === undefined) return strays.unknown?.(node)
  const [first, ...more] = given.get(key) ?? []
  const shape = fields[key]?.row.shape
  // Two settings that stood alone come into one block: `path` and `host` of a route into `matches`, whether it stands before or after them.
  if (first !== undefined && node.children !== undefined && saysNoMore(node, first) && (shape === 'block' || shape === 'map')) {
    given.set(key, [{ ...first, props: [...first.props, ...node.props], children: [...first.children ?? [], ...node.children] }, ...more])
  } else {
    give(given, key, node)
  }
}

/** Its values, if it has any, are those of the other node. */
function saysNoMore ({ args }: KdlNode, other: KdlNode): boolean {
  return args.length === 0 || (args.length === other.args.length && args.every(({ value }, index) => value === other.args[index]?.value))
}

export function nodeOfProp (prop: KdlProp): KdlNode {
  return { name: prop.name, at: prop.nameAt, args: [prop], props: [], children: undefined }
}

const nameCache = new WeakMap<Fields, ReadonlyMap<string, string>>()

/** Every name that leads to a field, in any spelling. */
export function namesOf (fields: Fields): ReadonlyMap<string, string> {
  let names = nameCache.get(fields)
  if (names !== undefined) return names
  const found = new Map<string, string>()
  for (const [key, { row }] of Object.entries(fields)) {
    for (const name of [row.name ?? kebab(key), ...row.aliases ?? [], ...row.within ?? [], ...row.kind === undefined ? [] : [row.kind]]) {
      if (found.has(name) && found.get(name) !== key) throw new Error(`'${name}' is declared twice: by ${found.get(name)} and by ${key}`)
      found.set(name, key)
    }
  }
  nameCache.set(fields, names = found)
  return names
}
