import type { KdlNode } from '../kdl/nodes.ts'
import { optionalBlock } from '../schema/blocks.ts'
import type { OlderForms } from '../schema/field.ts'
import { list, required, setting } from '../schema/fields.ts'
import { bool, text, words } from '../schema/values.ts'
import { collectorFields, collectorOf } from './collector.ts'
import { ratio } from './types.ts'

const backendFields = {
  type: required(words(['otlp', 'jaeger', 'zipkin'], {}), 'What the collector understands; Jaeger is spoken to in OTLP, too.'),
  ...collectorFields,
}

/** Where Jaeger hears its own protocols, which it has given up for OTLP. */
const jaegersOwn = new Set(['14268', '14250', '6831', '6832'])

const backend = optionalBlock(backendFields, 'Who gets the traces.', {
  args: ['type'],
  example: 'backend "otlp" {\n    endpoint "http://127.0.0.1:4317"\n}',
  build (value, here) {
    const { type, endpoint } = value
    if (type === 'jaeger' && (jaegersOwn.has(endpoint.port) || endpoint.pathname.startsWith('/api/traces'))) {
      here.report.error('CONFIG_CONTRADICTION', `'endpoint' of ${here.scope} is one of Jaeger's own protocols, which are not spoken here`, here.where('endpoint'),
        `Jaeger hears OTLP: write endpoint "${endpoint.protocol}//${endpoint.hostname}:4318"`)
    }
    if (type === 'zipkin' && value.protocol !== undefined) {
      here.report.warning('CONFIG_NO_EFFECT', `'protocol' of ${here.scope} has no effect: Zipkin takes JSON`, here.where('protocol'))
    }
    return { type, ...collectorOf(value, here) }
  },
})

const propagationForm = words(['w3c', 'b3', 'b3multi', 'jaeger'], {
  also: { w3c: ['tracecontext', 'w3c-trace-context', 'traceparent'], b3: ['b3-single'], b3multi: ['b3-multi'] },
})

const fields = {
  enabled: setting(bool, true, 'Whether requests are traced.'),
  backend,
  samplingRate: setting(ratio, 0.01, 'Share of the requests that are traced, where whoever calls has not decided already.', { aliases: ['sample-rate'] }),
  followCaller: setting(bool, true, 'Whether a caller that has decided is followed. Where strangers call, #false: their traces go on, and the share decides.'),
  serviceName: setting(text, 'sentinel', 'What this proxy is called in traces.'),
  propagation: list(propagationForm, ['w3c'], 'Forms of the header fields that carry a trace on; of what a client sends, the first that says something counts.', { commas: true }),
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

export const tracing = optionalBlock(fields, 'Traces for a collector, over the request\'s whole way.', {
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
})
