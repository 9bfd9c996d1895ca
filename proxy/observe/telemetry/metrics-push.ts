import type { SentinelConfig } from '../../../config/sentinel/index.ts'
import type { Log } from '../log.ts'
import type { AnyFamily } from '../registry.ts'
import { carrierOf } from './carrier.ts'
import { flushMs } from './exporter.ts'
import { figuresAsJson, figuresAsProtobuf } from './otlp-metrics.ts'
import { resourceOf } from './resource.ts'

export type PushSettings = NonNullable<SentinelConfig['observability']['metrics']['otlp']>

export interface PushSurroundings {
  readonly version: string
  readonly log: Log
  /** Of this moment, those of all processes together. */
  readonly figures: () => Promise<readonly AnyFamily[]>
}

export interface MetricsPush {
  /** Tells the last figures, for two seconds at most. */
  close (): Promise<void>
}

/** Brings the figures to a collector, again and again. What did not arrive is in the next delivery, which tells all there is: nothing is tried twice. */
export function pushMetrics (settings: PushSettings, { version, log, figures }: PushSurroundings): MetricsPush {
  const carrier = carrierOf(settings, 'metrics')
  const resource = resourceOf(settings.serviceName, version)
  const encode = settings.protocol === 'http/json' ? figuresAsJson : figuresAsProtobuf
  const stop = new AbortController()
  let failing = false
  let running: Promise<void> | undefined
  const deliver = async (): Promise<void> => {
    const families = await figures()
    const outcome = await carrier.send(encode({ families, resource, sinceMs: performance.timeOrigin, nowMs: Date.now() }), stop.signal)
    const well = outcome.kind === 'taken' && outcome.rejected === 0
    if (!well && !failing) log.warn(`figures do not reach the collector: ${outcome.why}`, { event: 'metrics-failing' })
    if (well && failing) log.info('figures reach the collector again', { event: 'metrics-recovered' })
    failing = !well
  }
  const run = (): Promise<void> => running ??= deliver()
    .catch((error: unknown) => log.error('figures could not be told', { event: 'metrics-failing', code: 'INTERNAL', error }))
    .finally(() => { running = undefined })
  const timer = setInterval(() => void run(), settings.interval).unref()
  return {
    async close () {
      clearInterval(timer)
      const cut = setTimeout(() => stop.abort(), flushMs)
      await running
      if (!stop.signal.aborted) await run()
      clearTimeout(cut)
      carrier.close()
    },
  }
}
