import type { handleServerStreamingCall, handleUnaryCall, ServerWritableStream } from '@grpc/grpc-js'
import { status } from '@grpc/grpc-js'
import { agentService, type HealthCheckRequest, type HealthCheckResponse } from '../../proto/codec/index.ts'

type Watcher = ServerWritableStream<HealthCheckRequest, HealthCheckResponse>

/** Watchers at once: health is asked for by few, and each one keeps a stream. */
const maxWatchers = 100

/** `grpc.health.v1.Health` for the process ("") and for the agent service. Serving until told otherwise. */
export class Health {
  #serving = true
  readonly #watchers = new Set<Watcher>()

  readonly check: handleUnaryCall<HealthCheckRequest, HealthCheckResponse> = (call, callback) => {
    if (!isKnown(call.request.service)) return callback({ code: status.NOT_FOUND, details: `no service ${call.request.service}` })
    callback(null, this.#now)
  }

  readonly watch: handleServerStreamingCall<HealthCheckRequest, HealthCheckResponse> = (call) => {
    if (this.#watchers.size >= maxWatchers) {
      call.emit('error', { code: status.RESOURCE_EXHAUSTED, details: 'too many watchers' })
      return
    }
    // A service that is not known may come to be: the stream stays open (health.proto of gRPC).
    if (!isKnown(call.request.service)) {
      call.write({ status: 'service_unknown' })
      return
    }
    this.#watchers.add(call)
    call.on('cancelled', () => this.#watchers.delete(call))
    call.on('error', () => this.#watchers.delete(call))
    call.write(this.#now)
  }

  /** The agent takes no new exchanges; watchers are told. */
  stop (): void {
    this.#serving = false
    for (const watcher of this.#watchers) watcher.write(this.#now)
  }

  /** Lets go of the watchers, so that the server can close. */
  close (): void {
    for (const watcher of this.#watchers) watcher.end()
    this.#watchers.clear()
  }

  get #now (): HealthCheckResponse {
    return { status: this.#serving ? 'serving' : 'not_serving' }
  }
}

function isKnown (service: string): boolean {
  return service === '' || service === agentService.name
}
