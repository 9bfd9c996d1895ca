import type { SentinelConfig } from '../../../config/sentinel/index.ts'
import type { DecisionRecord, Exchange } from '../../pipeline/exchange.ts'
import type { Log } from '../log.ts'
import { carrierOf, zipkinCarrier } from './carrier.ts'
import { propagatorOf } from './context.ts'
import { SpanExporter, type Fate } from './exporter.ts'
import { ExchangeTrace } from './exchange-trace.ts'
import { newSpanId, newTraceId, samplerOf } from './ids.ts'
import { tracesAsJson, tracesAsProtobuf } from './otlp-traces.ts'
import { resourceOf } from './resource.ts'
import type { Resource, Span } from './span.ts'
import { tracesAsZipkin } from './zipkin.ts'

export { tracedFilter } from './steps.ts'

export type TracingSettings = NonNullable<SentinelConfig['observability']['tracing']>
type Backend = NonNullable<TracingSettings['backend']>

/** Traces of one configuration. */
export interface Tracing {
  /** Says which trace the exchange belongs to, in the head that goes on, too. Once for each that a route is looked for. */
  begin (x: Exchange): void
  /** The exchange is over. */
  finish (x: Exchange): void
  /** A decision that came after that. */
  late (x: Exchange, decision: DecisionRecord): void
  /** Sends what is left, for two seconds at most. */
  close (): Promise<void>
}

export interface TracingSurroundings {
  readonly version: string
  readonly log: Log
  readonly count: (fate: Fate, spans: number) => void
}

export function openTracing (settings: TracingSettings, { version, log, count }: TracingSurroundings): Tracing {
  const backend = settings.backend! // Whoever traces has one: the configuration was checked.
  const resource = resourceOf(settings.serviceName, version)
  const carrier = backend.type === 'zipkin' ? zipkinCarrier(backend) : carrierOf(backend, 'traces')
  const exporter = new SpanExporter({ carrier, encode: encoderOf(backend, resource), count, log })
  const isSampled = samplerOf(settings.samplingRate)
  const propagator = propagatorOf(settings.propagation)
  const { followCaller } = settings
  const begin = (x: Exchange): void => {
    const { headers } = x.request
    const caller = propagator.extract(headers)
    const traceId = caller?.traceId ?? newTraceId()
    // Who calls has decided for the whole trace, unless it left that to others.
    if ((followCaller ? caller?.sampled : undefined) ?? isSampled(traceId)) {
      x.trace = new ExchangeTrace(traceId, caller, headers.getAll('tracestate').join(','), propagator)
    } else {
      x.trace = { traceId, spanId: newSpanId(), sampled: false, recording: undefined }
    }
    propagator.inject(headers, x.trace)
  }
  return {
    begin,
    finish (x) {
      if (x.trace === undefined) begin(x)
      if (x.trace instanceof ExchangeTrace) exporter.add(x.trace.finish(x))
    },
    late (x, decision) {
      if (x.trace instanceof ExchangeTrace) exporter.add(x.trace.late(decision))
    },
    close: () => exporter.close(),
  }
}

function encoderOf ({ type, protocol }: Backend, resource: Resource): (spans: readonly Span[]) => Buffer {
  const encode = type === 'zipkin' ? tracesAsZipkin : protocol === 'http/json' ? tracesAsJson : tracesAsProtobuf
  return (spans) => encode(spans, resource)
}
