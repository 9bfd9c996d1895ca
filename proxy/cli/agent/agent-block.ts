import { kdlName, kdlString, kdlValue } from '../../../config/kdl/write.ts'
import type { AgentDescription, SettingSchema } from './describe-agent.ts'
import { inKdl, type SettingTree } from './dev-config.ts'

export interface BlockOptions {
  readonly description: AgentDescription
  /** What starts it. */
  readonly command: readonly string[]
  /** Socket of the service that runs it in place of the proxy, when there is one. */
  readonly service: { readonly name: string, readonly socket: string } | undefined
  /** Values for settings, as they stand in KDL. */
  readonly given: SettingTree
}

export interface AgentBlock {
  readonly text: string
  /** Settings that must be given, and are not; b of the block a as a.b. */
  readonly missing: readonly string[]
}

const step = '    '

/** The block for `agents { … }`, with every setting of the agent, its default and what it is for. Lines are indented as inside of `agents`. */
export function agentBlock ({ description, command, service, given }: BlockOptions): AgentBlock {
  const { name, events, configSchema } = description
  const missing: string[] = []
  const settings = settingLines(configSchema, step.repeat(3), { root: configSchema, path: '', given, missing })
  const run = command.map(kdlString).join(' ')
  const how = service === undefined
    ? ['// The proxy starts it, and starts it again when it ends.', `command ${run}`]
    : [
        `// ${service.name} runs it. To have the proxy start it, put this in place of the two lines below: command ${run}`,
        `unix-socket ${kdlString(service.socket)}`,
        'managed #false',
      ]
  const lines = [
    ...how,
    '// What it is asked about.',
    `events ${events.map(kdlString).join(' ')}`,
    '// How long one decision may take, and what a missing one means: closed = refuse, open = go on.',
    'timeout "1s"',
    'failure-mode "closed"',
  ]
  return {
    text: [
      `${step}agent ${kdlString(name)} {`, ...lines.map((line) => step.repeat(2) + line),
      ...settings.length === 0 ? [] : [`${step.repeat(2)}config {`, ...settings, `${step.repeat(2)}}`],
      `${step}}`,
    ].join('\n') + '\n',
    missing,
  }
}

interface Around {
  readonly root: SettingSchema
  /** Of the block around, with its dot. */
  readonly path: string
  readonly given: SettingTree
  readonly missing: string[]
}

function settingLines (block: SettingSchema, indent: string, around: Around): string[] {
  return Object.entries(block.properties ?? {}).flatMap(([name, schema]) => {
    if (schema.deprecated === true) return []
    const isRequired = block.required?.includes(name) === true
    const doc = schema.description === undefined ? [] : [`${indent}// ${schema.description.replaceAll('\n', ' ')}${isRequired ? ' It has to be given.' : ''}`]
    return [...doc, ...oneSetting(name, schema, isRequired, indent, around)]
  })
}

function oneSetting (name: string, schema: SettingSchema, isRequired: boolean, indent: string, around: Around): string[] {
  const word = kdlName(name)
  const given = around.given.get(name)
  if (typeof given === 'string') return [`${indent}${word} ${given}`]
  const block = blockOf(schema, around.root)
  // A block that may stand several times, or holds names of the operator's choice, is shown and not written unless something of it is given.
  if (block !== undefined && (given !== undefined || !isSeveral(schema))) {
    const inner = settingLines(block, indent + step, { ...around, path: `${around.path}${name}.`, given: given ?? new Map() })
    return [`${indent}${word} {`, ...inner, `${indent}}`]
  }
  if (given !== undefined) return [`${indent}${word} {`, ...inKdl(given).map((line) => indent + step + line), `${indent}}`]
  if (block !== undefined) return [`${indent}// ${word} { … }`]
  if (schema.type === 'object') return [`${indent}// ${word} { name ${example(schema.additionalProperties)} }`]
  const value = defaultText(schema)
  if (value !== undefined) return [`${indent}${word} ${value}`]
  if (isRequired) around.missing.push(around.path + name)
  return [`${indent}// ${word} ${example(schema)}`]
}

/** The first of the given settings that the agent does not have; b of the block a as a.b. */
export function unknownSetting ({ configSchema }: Pick<AgentDescription, 'configSchema'>, given: SettingTree): string | undefined {
  return unknownIn(configSchema, given, configSchema)
}

function unknownIn (block: SettingSchema, given: SettingTree, root: SettingSchema): string | undefined {
  for (const [name, what] of given) {
    const schema = block.properties?.[name]
    if (schema === undefined) return name
    const inner = blockOf(schema, root)
    if (typeof what === 'string') {
      if (inner !== undefined) return name
    } else if (inner !== undefined) {
      const unknown = unknownIn(inner, what, root)
      if (unknown !== undefined) return `${name}.${unknown}`
    } else if (schema.type !== 'object' || [...what.values()].some((value) => typeof value !== 'string')) return `${name}.${[...what.keys()][0]!}`
  }
  return undefined
}

/** What can be given, as it is written. */
export function settingNames ({ configSchema }: Pick<AgentDescription, 'configSchema'>): string[] {
  const within = (block: SettingSchema, path: string): string[] => Object.entries(block.properties ?? {}).flatMap(([name, schema]) => {
    const inner = blockOf(schema, configSchema)
    if (inner !== undefined) return within(inner, `${path}${name}.`)
    return [`${path}${name}${schema.type === 'object' ? '.NAME' : ''}`]
  })
  return within(configSchema, '')
}

function isSeveral (schema: SettingSchema): boolean {
  return schema.anyOf?.some(({ type }) => type === 'array') === true
}

function blockOf (schema: SettingSchema, root: SettingSchema): SettingSchema | undefined {
  const reference = schema.$ref ?? schema.anyOf?.find(({ $ref }) => $ref !== undefined)?.$ref
  return reference === undefined ? undefined : root.$defs?.[reference.replace('#/$defs/', '')]
}

/** As KDL; `undefined` when nothing is set without being written. */
function defaultText (schema: SettingSchema): string | undefined {
  const { default: value } = schema
  if (value === undefined) return undefined
  const single = schema.anyOf?.[0] ?? schema
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map((one) => valueText(one, single)).join(' ')
  return valueText(value, single)
}

function valueText (value: unknown, { type }: SettingSchema): string {
  const isNumber = type === 'integer' || type === 'number'
  if (typeof value === 'string') return isNumber && Number.isFinite(Number(value)) ? kdlValue(Number(value)) : kdlValue(value)
  return typeof value === 'number' || typeof value === 'boolean' ? kdlValue(value) : kdlValue(JSON.stringify(value))
}

function example (schema: SettingSchema | boolean | undefined): string {
  if (typeof schema !== 'object') return '"…"'
  const single = schema.anyOf?.[0] ?? schema
  const [first] = single.enum ?? []
  if (typeof first === 'string' || typeof first === 'number') return kdlValue(first)
  if (single.type === 'integer' || single.type === 'number') return '0'
  return single.type === 'boolean' ? '#true' : '"…"'
}
