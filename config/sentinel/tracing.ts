import type { KdlNode } from '../kdl/nodes.ts'
import { optionalBlock } from '../schema/blocks.ts'
import type { OlderForms } from '../schema/field.ts'
import { list, map, notBuilt, optional, required, setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import { anyText, bool, text, words } from '../schema/values.ts'
import { httpUrl, ratio } from './types.ts'

const backend = optionalBlock({
  type: required(words(['otlp', 'jaeger', 'zipkin'], {}), 'What the collector understands.'),
  endpoint: required(httpUrl, 'Where the collector is.'),
  protocol: optional(words(['grpc', 'http'], { also: { http: ['http/protobuf', 'http/json'] } }), 'How OTLP is carried; without it grpc on port 4317, http on others.'),
  timeout: setting(durationWithin('1ms', '5m'), '10s', 'How long one delivery may take.', { aliases: ['timeout-ms', 'timeout-secs'] }),
  headers: map(anyText, 'Header fields that the collector wants.'),
}, 'Who gets the traces.', {
  args: ['type'],
  example: 'backend "otlp" {\n    endpoint "http://127.0.0.1:4317"\n}',
})

const fields = {
  enabled: setting(bool, true, 'Whether requests are traced.'),
  backend,
  samplingRate: setting(ratio, 0.01, 'Share of the requests that are traced, where whoever calls has not decided already.', { aliases: ['sample-rate'] }),
  serviceName: setting(text, 'sentinel', 'What this proxy is called in traces.'),
  propagation: list(words(['w3c', 'b3', 'jaeger'], { also: { w3c: ['tracecontext', 'w3c-trace-context', 'traceparent'], b3: ['b3multi', 'b3-single'] } }), ['w3c'], 'Form of the header fields that carry a trace on.', { commas: true }),
}

const kinds: ReadonlySet<string> = new Set(['otlp', 'jaeger', 'zipkin'])

const inBackend = (node: KdlNode): KdlNode => ({ name: 'backend', at: node.at, args: [{ value: 'otlp', at: node.at }], props: [], children: [node] })

const older: OlderForms = {
  endpoint: { doc: 'write backend "otlp" { endpoint "…" }', into: node => [inBackend(node)] },
  protocol: { doc: 'write backend "otlp" { protocol "…" }', into: node => [inBackend(node)] },
  backend: {
    doc: 'write backend "otlp" { endpoint "…" }',
    when: node => node.args.length === 0 && node.children?.length === 1 && kinds.has(node.children[0]?.name ?? ''),
    into: node => (node.children ?? []).map(child => ({ ...child, name: 'backend', args: [{ value: child.name, at: child.at }, ...child.args] })),
  },
  sampling: {
    doc: 'write sampling-rate 0.1',
    when: node => node.children?.every(({ name }) => name === 'rate') === true,
    into: node => (node.children ?? []).map(child => ({ ...child, name: 'sampling-rate' })),
  },
}

export const tracing = notBuilt(optionalBlock(fields, 'Traces for a collector, over the request\'s whole way.', {
  older,
  example: `tracing {
    backend "otlp" {
        endpoint "http://127.0.0.1:4317"
    }
    sampling-rate 0.05
    service-name "shop-edge"
}`,
  build (value, here) {
    if (value.enabled && !here.given('backend')) {
      here.report.error('CONFIG_MISSING', `${here.scope} needs 'backend'`, here.at, 'write backend "otlp" { endpoint "http://…:4317" }')
    }
    return value
  },
}))
