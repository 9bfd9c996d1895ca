import {
  agentService, decodeHealthCheckRequest, encodeHealthCheckResponse, type HealthCheckRequest, type HealthCheckResponse,
} from '../../proto/codec/index.ts'
import { CallError, status, unaryMethod, type Call, type Method } from './grpc.ts'

/** Watchers at once: health is asked for by few, and each one keeps a stream. */
const maxWatchers = 100

/** `grpc.health.v1.Health` for the process ("") and for the agent service. Serving until told otherwise. */
export class Health {
  #serving = true
  readonly #watchers = new Set<Call>()

  readonly check: Method = unaryMethod(decodeHealthCheckRequest, ({ service }) => {
    if (!isKnown(service)) throw new CallError(status.notFound, `no service ${service}`)
    return this.#now
  })

  readonly watch: Method = (call) => {
    let request: HealthCheckRequest | undefined
    return {
      onMessage: (message) => {
        if (request !== undefined) throw new CallError(status.invalidArgument, 'more than one message')
        request = decodeHealthCheckRequest(message)
        this.#begin(call, request.service)
      },
      onEnd () {
        if (request === undefined) call.end(status.invalidArgument, 'no message')
      },
      onClose: () => void this.#watchers.delete(call),
    }
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

  #begin (call: Call, service: string): void {
    if (this.#watchers.size >= maxWatchers) throw new CallError(status.resourceExhausted, 'too many watchers')
    this.#watchers.add(call)
    // A service that is not known may come to be: the stream stays open (health.proto of gRPC).
    call.write(isKnown(service) ? this.#now : response('service_unknown'))
  }

  get #now (): Buffer {
    return response(this.#serving ? 'serving' : 'not_serving')
  }
}

function response (serving: HealthCheckResponse['status']): Buffer {
  return encodeHealthCheckResponse({ status: serving })
}

function isKnown (service: string): boolean {
  return service === '' || service === agentService.name
}
