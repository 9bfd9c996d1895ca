import type { KdlNode } from '../kdl/nodes.ts'
import type { Position } from '../kdl/position.ts'
import { block, blocks, optionalBlock } from '../schema/blocks.ts'
import { unreadable } from '../schema/field.ts'
import type { OlderForms, Place } from '../schema/field.ts'
import { inert, list, notBuilt, optional, setting } from '../schema/fields.ts'
import { sizeWithin } from '../schema/quantities.ts'
import type { Here } from '../schema/read-block.ts'
import type { ValueType } from '../schema/value.ts'
import { unfit } from '../schema/value.ts'
import { bool, integer, numberBetween, path, text, textLike, words } from '../schema/values.ts'
import { agents } from './agent.ts'
import { inside, switchFixedTo } from './route-types.ts'
import { mediaType } from './static-files.ts'

/** What the agent of the block is called. */
export const wafAgent = 'waf'

/** A setting of the agent, with its place in the block. */
interface Handed {
  readonly name: string
  readonly values: readonly (string | number | boolean)[]
  readonly at: Position
}

type Scope = { readonly kind: 'global' } | { readonly kind: 'path' | 'host', readonly value: string }

const scope: ValueType<Scope> = {
  name: 'scope',
  expected: 'global, path=/… or host=…',
  example: '"global", "path=/api/upload", "host=internal.example.com"',
  words: ['global'],
  json: { type: 'string' },
  parse (raw) {
    if (typeof raw !== 'string') return unfit
    if (raw.toLowerCase() === 'global') return { value: { kind: 'global' } }
    const [, kind, value = ''] = /^(path|host)=(.+)$/i.exec(raw) ?? []
    if (kind?.toLowerCase() === 'path') return value.startsWith('/') ? { value: { kind: 'path', value } } : { wrong: 'the path does not begin with "/"' }
    return kind === undefined ? unfit : { value: { kind: 'host', value: value.toLowerCase() } }
  },
}

const ruleId = textLike('the id of a rule', /^[A-Za-z0-9][\w.-]*$/, '"sqli-union"')

/** Number of a rule of the Core Rule Set, with or without quotes. */
const ruleIdOrNumber: ValueType<string> = {
  ...ruleId,
  parse: (raw, context) => ruleId.parse(typeof raw === 'number' && Number.isSafeInteger(raw) && raw > 0 ? String(raw) : raw, context),
}

const exclusionFields = {
  ruleIds: list(ruleIdOrNumber, [], 'Rules that are off.', { min: 1, aliases: ['rule-id', 'rules'] }),
  scope: setting(scope, 'global', 'Where: everywhere, below a path, or for a host.'),
}

const exclusions = blocks(exclusionFields, 'Rules that are off.', {
  name: 'exclusion',
  example: 'exclusion { rule-ids "xss-active-tag" }',
  within: ['exclusions'],
  older: { scope: {
    doc: 'write scope "path=/x" or scope "host=name"',
    when: ({ args }) => args.length === 2 && args.every(({ value }) => typeof value === 'string'),
    into: ({ args: [kind, value], ...node }) => [{ ...node, args: kind === undefined || value === undefined ? [] : [{ ...value, value: `${String(kind.value)}=${String(value.value)}` }] }],
  } },
  build (value, here): Handed {
    const ids = value.ruleIds.filter(id => !/^\d+$/.test(id))
    const at = here.where('ruleIds')
    if (ids.length < value.ruleIds.length) {
      here.report.warning('CONFIG_NOT_BUILT', `rules of the Core Rule Set that ${here.scope} names by number are not known to the built-in rules`, at, 'name the ids that the record of a refusal gives')
    }
    if (value.scope.kind === 'global') return { name: 'rules-disabled', values: ids, at }
    here.report.warning('CONFIG_NOT_BUILT', `'scope' of ${here.scope} is accepted, but not in effect yet: the rules stay on`, here.where('scope'))
    return { name: 'rules-disabled', values: [], at }
  },
})

/** `exclusion "1" "2" { scope … }`, wherever it stands: the ids are values of their own. */
function withIds (node: KdlNode): KdlNode {
  if (node.name !== 'exclusion' || node.args.length === 0) return node
  return { ...node, args: [], children: [{ name: 'rule-ids', at: node.args[0]?.at ?? node.at, args: node.args, props: [], children: undefined }, ...node.children ?? []] }
}

const olderExclusions: OlderForms = {
  exclusion: { doc: 'write exclusion { rule-ids "…" }', when: ({ args }) => args.length > 0, into: node => [withIds(node)] },
  exclusions: {
    doc: 'write exclusion { rule-ids "…" }',
    when: ({ children }) => children?.some(({ name, args }) => name === 'exclusion' && args.length > 0) === true,
    into: node => [{ ...node, children: node.children?.map(withIds) }],
  },
}

const rulesetFields = {
  paranoiaLevel: optional(integer(1, 4), 'Which rules are on: 1 finds attacks and lets ordinary text pass, 4 suspects every special character; 1 without it.'),
  anomalyThreshold: optional(integer(1, 1000), 'Score from which a request is refused: a critical rule adds 5, an error 4, a warning 3, a notice 2; 5 without it.', { aliases: ['inbound-anomaly-threshold'] }),
  exclusions,
  crsVersion: inert(text, 'Version of the Core Rule Set.', 'the built-in rules are used'),
  customRulesDir: notBuilt(optional(path, 'Folder with rules of your own.')),
  paths: notBuilt(list(path, [], 'Folders with rules of your own.')),
}

const ruleset = block(rulesetFields, 'Which rules are on.', {
  example: `ruleset {
    paranoia-level 2
    anomaly-threshold 10
}`,
  older: olderExclusions,
  build (value, here): readonly Handed[] {
    const { paranoiaLevel, anomalyThreshold } = value
    return [
      ...paranoiaLevel === undefined ? [] : [{ name: 'paranoia-level', values: [paranoiaLevel], at: here.where('paranoiaLevel') }],
      ...anomalyThreshold === undefined ? [] : [{ name: 'threshold', values: [anomalyThreshold], at: here.where('anomalyThreshold') }],
      ...value.exclusions,
    ]
  },
})

const bodyInspection = block({
  inspectRequestBody: optional(bool, 'Look into bodies of requests; yes without it.'),
  inspectResponseBody: setting(switchFixedTo(false, 'bodies of answers are not inspected'), false, 'Look into bodies of answers.'),
  maxInspectionSize: optional(sizeWithin('1'), 'Longest body that is looked into, packed or not; a longer one is refused. 1MiB without it.', { aliases: ['max-inspection-bytes', 'max-body-inspection-bytes'] }),
  contentTypes: notBuilt(list(mediaType, [], 'Media types that are looked into; the built-in rules look into all.')),
  decompress: setting(switchFixedTo(true, 'packed bodies are unpacked for inspection'), true, 'Unpack bodies to look into them.'),
  maxDecompressionRatio: notBuilt(setting(numberBetween(1, 1_000_000), 100, 'Most growth when a body is unpacked.')),
}, 'Which bodies are looked into.', {
  example: 'body-inspection { max-inspection-size "512KiB" }',
  older: { 'content-types': {
    doc: 'write content-types "a" "b"',
    when: ({ args, children }) => args.length === 0 && children?.every(child => child.args.length === 0 && child.children === undefined) === true,
    into: ({ children = [], ...node }) => [{ ...node, args: children.map(({ name, at }) => ({ value: name, at })), children: undefined }],
  } },
  build (value, here) {
    const { inspectRequestBody: inspect, maxInspectionSize: most } = value
    if (inspect === false && most !== undefined) {
      here.report.error('CONFIG_CONTRADICTION', `${here.scope} limits what it does not look into`, here.where('maxInspectionSize'), 'leave it out, or write inspect-request-body #true')
    }
    const config: readonly Handed[] = [
      ...inspect === undefined ? [] : [{ name: 'body-inspection', values: [inspect], at: here.where('inspectRequestBody') }],
      ...most === undefined ? [] : [{ name: 'max-body-size', values: [most], at: here.where('maxInspectionSize') }],
    ]
    // What the proxy hands over and what the agent looks into are two limits of one size.
    return { config, own: most === undefined ? [] : [{ name: 'max-request-body-size', values: [most], at: here.where('maxInspectionSize') }] satisfies readonly Handed[] }
  },
})

const fields = {
  mode: setting(words(['prevention', 'detection', 'off'], {
    also: { prevention: ['prevent', 'block', 'on', 'enforce'], detection: ['detect', 'detection-only', 'monitor'], off: ['disabled'] },
  }), 'prevention', 'prevention = refuse attacks, detection = only record them, off = no firewall.'),
  ruleset,
  bodyInspection,
  engine: inert(text, 'Which engine the rules are for.', 'the built-in rules and their own engine are used'),
  auditLog: notBuilt(setting(bool, true, 'Write what matched into the audit log; decisions are recorded by `evidence`.')),
}

/** The web application firewall. It is read as the agent that does it, `undefined` when it is off. */
export const waf = optionalBlock(fields, 'A firewall before every route: the built-in agent of type `waf`, which needs no filter. For more choice declare such an agent.', {
  older: {
    exclusions: { doc: 'exclusions go into ruleset { … }', into: inside('ruleset') },
    exclusion: { doc: 'exclusions go into ruleset { … }', into: inside('ruleset') },
  },
  example: `waf {
    mode "prevention"
    ruleset {
        paranoia-level 1
        anomaly-threshold 5
    }
    body-inspection { max-inspection-size "512KiB" }
}`,
  build (value, here) {
    if (value.mode === 'off') return undefined
    const mode: Handed = { name: 'mode', values: [value.mode === 'detection' ? 'monitor' : 'enforce'], at: here.where('mode') }
    return agentOf([mode, ...value.bodyInspection.own], [...value.ruleset, ...value.bodyInspection.config], here)
  },
})

/** The agent as if somebody had written it: all its defaults come from its own declaration. */
function agentOf (own: readonly Handed[], config: readonly Handed[], here: Here<typeof fields>) {
  const at = here.at
  const settings = [...own, ...mergedRules(config).length === 0 ? [] : [{ name: 'config', at, args: [], props: [], children: mergedRules(config).map(nodeOf) }]]
  const agent: KdlNode = { ...plain('agent', at, [wafAgent]), children: settings.map(setting => 'values' in setting ? nodeOf(setting) : setting) }
  const { scope, names, textOnly, report } = here
  const place: Place = { name: 'agents', at, scope, id: '', names, folderOf: () => '.', textOnly, report, excused: false }
  const read = agents.read([{ ...plain('agents', at, []), children: [agent] }], place)
  return read === unreadable ? undefined : read[0]
}

/** One list of all rules that are off: several would become a list of lists. */
function mergedRules (config: readonly Handed[]): readonly Handed[] {
  const off = config.filter(({ name, values }) => name === 'rules-disabled' && values.length > 0)
  const [first] = off
  const others = config.filter(({ name }) => name !== 'rules-disabled')
  return first === undefined ? others : [...others, { ...first, values: off.flatMap(({ values }) => values) }]
}

function nodeOf ({ name, values, at }: Handed): KdlNode {
  return plain(name, at, values)
}

function plain (name: string, at: Position, values: readonly (string | number | boolean)[]): KdlNode {
  return { name, at, args: values.map(value => ({ value, at })), props: [], children: undefined }
}
