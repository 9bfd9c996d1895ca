import type { KdlNode } from '../kdl/nodes.ts'
import { optionalBlock } from '../schema/blocks.ts'
import { settingName } from '../schema/field.ts'
import { list, optional, setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import type { Here } from '../schema/read-block.ts'
import { regex } from '../schema/regex.ts'
import { anyText, integer, oneOf, text } from '../schema/values.ts'
import { readiness } from './inference-readiness.ts'
import { statusRange } from './status-range.ts'
import { host, method, urlPath } from './types.ts'

const wait = durationWithin('1ms')
const inSeconds = { bareUnitMs: 1000 }
const inARow = integer(1, 1000)

type Kind = 'http' | 'tcp' | 'grpc' | 'inference'

const fields = {
  type: optional(oneOf('http', 'tcp', 'grpc', 'inference'), 'What is tried: a request, a connection, gRPC\'s health service or a model server. Without it the settings tell: http when there is a `path`, tcp when there is nothing of the kind.'),
  path: optional(urlPath, 'http: path that is asked for; /health without it.'),
  method: setting(method, 'GET', 'http: method of the request.'),
  expectedStatus: list(statusRange, ['2xx'], 'http: codes that mean well.', { commas: true }),
  host: optional(host, 'http: host that is asked for; that of the target without it.'),
  expectedBody: optional(regex, 'http: what has to be found in the answer, as a regular expression; its first 64 KiB are looked at.'),
  service: optional(anyText, 'grpc: service whose health is asked for; the whole server\'s without it.'),
  endpoint: optional(urlPath, 'inference: path of the list of models; /v1/models without it.'),
  expectedModels: list(text, [], 'inference: models that must be in the list.'),
  readiness,
  port: optional(integer(1, 65_535), 'Port that is checked, in place of the target\'s own.'),
  interval: setting(wait, '10s', 'Time between two checks.', { ...inSeconds, aliases: ['interval-secs', 'interval-ms'] }),
  timeout: setting(wait, '5s', 'Time for one check, until the last byte of its answer.', { ...inSeconds, aliases: ['timeout-secs', 'timeout-ms'] }),
  healthyThreshold: setting(inARow, 2, 'Good checks in a row after which a target gets requests again. The very first check decides alone; before it, a target gets requests.'),
  unhealthyThreshold: setting(inARow, 3, 'Failed checks in a row after which it gets none.'),
}

type Name = keyof typeof fields

const ofKind: Readonly<Record<Kind, readonly Name[]>> = {
  http: ['path', 'method', 'expectedStatus', 'host', 'expectedBody'],
  tcp: [],
  grpc: ['service'],
  inference: ['endpoint', 'expectedModels', 'readiness'],
}

const kinds = ['http', 'grpc', 'inference'] as const

/** In what earlier versions had, the settings of a type stood in a block of its own. */
const nestedType = {
  doc: 'the settings stand beside the type, each on a line of its own',
  when: (node: KdlNode): boolean => node.children !== undefined,
  into: (node: KdlNode): KdlNode[] => [{ ...node, children: undefined }, ...(node.children ?? []).flatMap(oneEach)],
}

/** Their documentation has `path "/health" expected-status 200` on one line, without anything between the two. */
function oneEach (node: KdlNode): KdlNode[] {
  const [value, name, ...rest] = node.args
  if (value === undefined || name === undefined || rest.length === 0 || !ofKind.http.some(key => name.value === settingName(key, fields[key]))) return [node]
  return [{ ...node, args: [value] }, { ...node, name: String(name.value), at: name.at, args: rest, props: [], children: undefined }]
}

export const healthCheck = optionalBlock(fields, 'Ask targets whether they are well, and leave out those that are not.', {
  args: ['type'],
  older: { type: nestedType },
  example: `health-check {
    type "http"
    path "/health"
    expected-status "2xx"
    interval "10s"
    timeout "2s"
    unhealthy-threshold 3
}`,
  build (value, here) {
    const type: Kind = value.type ?? kinds.find(kind => ofKind[kind].some(name => here.given(name))) ?? 'tcp'
    if (here.clean) checkKind(type, here)
    return { ...value, type }
  },
})

function checkKind (type: Kind, here: Here<typeof fields>): void {
  for (const [kind, names] of Object.entries(ofKind)) {
    if (kind === type) continue
    const stray = names.find(name => here.given(name))
    if (stray === undefined) continue
    here.report.error('CONFIG_CONTRADICTION', `'${settingName(stray, fields[stray])}' of ${here.scope} means nothing for a check of type ${type}`, here.where(stray), `write type "${kind}"`)
  }
}
