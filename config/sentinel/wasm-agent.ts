import { named } from '../schema/blocks.ts'
import type { Field } from '../schema/field.ts'
import { json, notBuilt, required } from '../schema/fields.ts'
import { path } from '../schema/values.ts'

const wasmAgents = notBuilt(named('wasm-agent', {
  component: required(path, 'The component, compiled.'),
  config: json('Settings of the agent itself.'),
}, 'An agent inside of the proxy.', { direct: true }))

/** Agents as WebAssembly components stand among the others, under a word of their own. They are checked, and not in effect. */
export function withWasmAgents<T> (agents: Field<readonly T[]>): Field<readonly T[]> {
  return {
    ...agents,
    read (given, place) {
      const isWasm = ({ name }: { readonly name: string }): boolean => name === 'wasm-agent'
      wasmAgents.read(given.flatMap(node => node.children?.filter(isWasm) ?? []), { ...place, name: 'wasm-agents' })
      const others = given.map(node => node.children?.some(isWasm) === true ? { ...node, children: node.children.filter(child => !isWasm(child)) } : node)
      return agents.read(others, place)
    },
  }
}
