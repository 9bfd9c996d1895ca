import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { Resource } from './span.ts'

/** In the words of OpenTelemetry's semantic conventions for resources. */
export function resourceOf (serviceName: string, version: string): Resource {
  return {
    version,
    attributes: [
      ['service.name', serviceName], ['service.version', version], ['service.instance.id', randomUUID()],
      ['host.name', hostname()], ['process.pid', process.pid], ['process.runtime.name', 'nodejs'], ['process.runtime.version', process.versions.node],
      ['telemetry.sdk.name', 'sentinel'], ['telemetry.sdk.language', 'nodejs'], ['telemetry.sdk.version', version],
    ],
  }
}
