/**
 * The rule by which a block of free KDL becomes JSON (an agent's `config { … }`):
 * one argument → that value; several → an array; properties and children → an object; nothing at all → `true`;
 * a node given several times → an array of what each gives. A node with arguments *and* a block gives an object with the arguments
 * under "-".
 */
import type { KdlEntry, KdlNode, KdlValue } from './nodes.ts'
import type { Position } from './position.ts'

/** Anything that JSON can say. */
export type JsonValue = string | number | boolean | null | JsonValue[] | { [name: string]: JsonValue }
/** An object of JSON. */
export type JsonObject = { [name: string]: JsonValue }

/** Where the arguments of a node go that has a block, too. */
export const argumentsKey = '-'

export function jsonOf (nodes: readonly KdlNode[], props: readonly (KdlEntry & { name: string })[] = []): JsonObject {
  const members = new Map<string, JsonValue[]>()
  const add = (name: string, value: JsonValue): void => {
    const given = members.get(name)
    if (given === undefined) members.set(name, [value])
    else given.push(value)
  }
  for (const prop of props) add(prop.name, scalar(prop.value))
  for (const node of nodes) add(node.name, jsonOfNode(node))
  // fromEntries defines "__proto__" as an ordinary member; an assignment would not.
  return Object.fromEntries([...members].map(([name, values]) => [name, merged(values)]))
}

/** A scalar node given again and again is the list of its values; anything else an array of what each node gives. */
function merged (values: JsonValue[]): JsonValue {
  const [only] = values
  return values.length === 1 && only !== undefined ? only : values
}

function jsonOfNode (node: KdlNode): JsonValue {
  const args = node.args.map(entry => scalar(entry.value))
  const [first] = args
  if (node.children === undefined && node.props.length === 0) {
    if (first === undefined) return true
    return args.length === 1 ? first : args
  }
  const object = jsonOf(node.children ?? [], node.props)
  if (first === undefined) return object
  return { [argumentsKey]: args.length === 1 ? first : args, ...object }
}

/** JSON has no infinities and no NaN: they become text, which the agent's own check refuses by name. */
function scalar (value: KdlValue): JsonValue {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value
}

/**
 * The place in the file of what `path` leads to in the JSON of `block`; the nearest thing around it when the path goes on further.
 * Elements of arrays are named by their index.
 */
export function positionIn (block: KdlNode, path: readonly (string | number)[]): Position {
  let at = block.at
  let scope: readonly KdlNode[] = [block]
  for (let step = 0; step < path.length; step++) {
    const name = String(path[step])
    const found = within(scope, name)
    if (found === undefined) return at
    at = found.at
    scope = found.nodes
    if (scope.length === 0) return at
    const next = path[step + 1]
    if (next !== undefined && /^\d+$/.test(String(next))) {
      const element = elementOf(scope, Number(next))
      if (element === undefined) return at
      at = element.at
      scope = element.nodes
      step++
    }
  }
  return at
}

interface Found {
  readonly at: Position
  /** Nodes that hold what comes next; empty for a plain value. */
  readonly nodes: readonly KdlNode[]
}

function within (scope: readonly KdlNode[], name: string): Found | undefined {
  for (const node of scope) {
    const children = (node.children ?? []).filter(child => child.name === name)
    const [child] = children
    if (child !== undefined) return { at: child.args[0]?.at ?? child.at, nodes: children }
    const prop = node.props.find(candidate => candidate.name === name)
    if (prop !== undefined) return { at: prop.at, nodes: [] }
    const [arg] = node.args
    if (name === argumentsKey && arg !== undefined) return { at: arg.at, nodes: [] }
  }
  return undefined
}

function elementOf (nodes: readonly KdlNode[], index: number): Found | undefined {
  const [only] = nodes
  if (nodes.length === 1 && only !== undefined) {
    const arg = only.args[index]
    return arg === undefined ? undefined : { at: arg.at, nodes: [] }
  }
  const node = nodes[index]
  return node === undefined ? undefined : { at: node.args[0]?.at ?? node.at, nodes: [node] }
}
