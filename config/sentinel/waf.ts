import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileReason } from '../kdl/file-reason.ts'
import type { KdlNode } from '../kdl/nodes.ts'
import type { Position } from '../kdl/position.ts'
import { block, blocks, optionalBlock } from '../schema/blocks.ts'
import { unreadable } from '../schema/field.ts'
import type { OlderForms, Place } from '../schema/field.ts'
import { inert, list, optional, setting } from '../schema/fields.ts'
import { sizeWithin } from '../schema/quantities.ts'
import type { Here } from '../schema/read-block.ts'
import type { ValueType } from '../schema/value.ts'
import { unfit } from '../schema/value.ts'
import { bool, existingFile, existingFolder, integer, numberBetween, path, text, textLike, words } from '../schema/values.ts'
import { agents } from './agent.ts'
import { inside, switchFixedTo } from './route-types.ts'
import { mediaType } from './static-files.ts'
import { wafAgent } from './waf-agent.ts'

/** A setting of the agent, with its place in the block. */
interface Handed {
  readonly name: string
  readonly values: readonly (string | number | boolean)[]
  readonly at: Position
  readonly children?: readonly Handed[]
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

/** A folder, or one file. */
const ruleFiles: ValueType<string> = {
  ...path,
  parse (raw, context) {
    const folder = existingFolder.parse(raw, context)
    return 'wrong' in folder ? existingFile.parse(raw, context) : folder
  },
}

const ratioName = 'max-decompression-ratio'

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
    if (value.scope.kind === 'global' || ids.length === 0) return { name: 'rules-disabled', values: ids, at }
    const { kind, value: place } = value.scope
    return { name: 'exclusion', values: [], at, children: [{ name: 'rules', values: ids, at }, { name: kind, values: [place], at: here.where('scope') }] }
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
  customRulesDir: optional(existingFolder, 'Folder with rules of your own: its files whose names end in `.rules`, in the order of their names. The page of the firewall says how they are written.'),
  paths: list(ruleFiles, [], 'More such folders, or files.'),
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
      ...ownRules([...value.customRulesDir === undefined ? [] : [value.customRulesDir], ...value.paths], here),
      ...value.exclusions,
    ]
  },
})

const largestRulesBytes = 1024 * 1024

/** The rules themselves: so a change of a file is a change of the agent's configuration, which it checks before anything else changes. */
function ownRules (places: readonly string[], here: Here<typeof rulesetFields>): readonly Handed[] {
  if (places.length === 0 || here.textOnly) return []
  const at = here.where(here.given('customRulesDir') ? 'customRulesDir' : 'paths')
  try {
    const files = places.flatMap(place => statSync(place).isDirectory()
      ? readdirSync(place).filter(name => name.endsWith('.rules')).toSorted().map(name => join(place, name))
      : [place])
    here.report.alsoRead(files)
    const texts = files.map(file => `file ${file}\n${readFileSync(file, 'utf8')}`)
    if (texts.length === 0) here.report.warning('CONFIG_NO_EFFECT', `${here.scope} names no rules: no file there ends in '.rules'`, at)
    if (texts.join('').length > largestRulesBytes) here.report.error('CONFIG_FILE', `the rules of ${here.scope} are longer than 1MiB`, at)
    return texts.length === 0 ? [] : [{ name: 'custom-rules', values: texts, at }]
  } catch (error) {
    here.report.error('CONFIG_FILE', `the rules of ${here.scope} cannot be read: ${fileReason(error)}`, at)
    return []
  }
}

const bodyInspection = block({
  inspectRequestBody: optional(bool, 'Look into bodies of requests; yes without it.'),
  inspectResponseBody: setting(switchFixedTo(false, 'bodies of answers are not inspected'), false, 'Look into bodies of answers.'),
  maxInspectionSize: optional(sizeWithin('1'), 'Longest body that is looked into, packed or not; a longer one is refused. 1MiB without it.', { aliases: ['max-inspection-bytes', 'max-body-inspection-bytes'] }),
  contentTypes: list(mediaType, [], 'Media types of bodies that are looked into; all without it. A body that names none, or several, is looked into in any case.'),
  decompress: setting(switchFixedTo(true, 'packed bodies are unpacked for inspection'), true, 'Unpack bodies to look into them.'),
  maxDecompressionRatio: optional(numberBetween(1, 1_000_000), 'How many times larger than before a body may become when it is unpacked; one that would is refused. Without it `limits { max-decompression-ratio }` says so.'),
}, 'Which bodies are looked into.', {
  example: 'body-inspection { max-inspection-size "512KiB" }',
  older: { 'content-types': {
    doc: 'write content-types "a" "b"',
    when: ({ args, children }) => args.length === 0 && children?.every(child => child.args.length === 0 && child.children === undefined) === true,
    into: ({ children = [], ...node }) => [{ ...node, args: children.map(({ name, at }) => ({ value: name, at })), children: undefined }],
  } },
  build (value, here) {
    const { inspectRequestBody: inspect, maxInspectionSize: most, maxDecompressionRatio: ratio, contentTypes: types } = value
    if (inspect === false && most !== undefined) {
      here.report.error('CONFIG_CONTRADICTION', `${here.scope} limits what it does not look into`, here.where('maxInspectionSize'), 'leave it out, or write inspect-request-body #true')
    }
    const config: readonly Handed[] = [
      ...inspect === undefined ? [] : [{ name: 'body-inspection', values: [inspect], at: here.where('inspectRequestBody') }],
      ...most === undefined ? [] : [{ name: 'max-body-size', values: [most], at: here.where('maxInspectionSize') }],
      ...ratio === undefined ? [] : [{ name: ratioName, values: [ratio], at: here.where('maxDecompressionRatio') }],
      ...types.length === 0 ? [] : [{ name: 'content-types', values: types.map(type => type.split(';', 1)[0]!.trim()), at: here.where('contentTypes') }],
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
  auditLog: setting(bool, true, 'Whether which rules matched, and where, is told to the access log and to `evidence`; what was decided is in any case.'),
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
    const audit: Handed = { name: 'audit-log', values: [false], at: here.where('auditLog') }
    return agentOf([mode, ...value.bodyInspection.own], [...value.ruleset, ...value.bodyInspection.config, ...value.auditLog ? [] : [audit]], here)
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

function nodeOf ({ name, values, at, children }: Handed): KdlNode {
  return { ...plain(name, at, values), children: children?.map(nodeOf) }
}

function plain (name: string, at: Position, values: readonly (string | number | boolean)[]): KdlNode {
  return { name, at, args: values.map(value => ({ value, at })), props: [], children: undefined }
}
