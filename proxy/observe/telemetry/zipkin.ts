import type { Resource, Span } from './span.ts'

/** Zipkin's JSON, version 2 (https://zipkin.io/zipkin-api/, `POST /api/v2/spans`): times in whole microseconds, all values are texts. */
export function tracesAsZipkin (spans: readonly Span[], { attributes }: Resource): Buffer {
  const serviceName = String(attributes.find(([key]) => key === 'service.name')?.[1] ?? 'sentinel')
  return Buffer.from(JSON.stringify(spans.map(({ traceId, spanId, parentSpanId, name, kind, startMs, endMs, attributes: own, events, error }) => ({
    traceId,
    id: spanId,
    ...parentSpanId === '' ? {} : { parentId: parentSpanId },
    name,
    ...kind === 'internal' ? {} : { kind: kind.toUpperCase() },
    timestamp: micros(startMs),
    // Nothing is "no duration known".
    duration: Math.max(1, micros(endMs) - micros(startMs)),
    localEndpoint: { serviceName },
    annotations: events.map((event) => ({ timestamp: micros(event.atMs), value: event.name })),
    tags: Object.fromEntries([...own.map(([key, value]) => [key, String(value)]), ...error === undefined ? [] : [['error', error]]]),
  }))))
}

function micros (ms: number): number {
  return Math.round(ms * 1000)
}
