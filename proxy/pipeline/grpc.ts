import type { Exchange, Reply } from './exchange.ts'
import { faults, type FaultCode } from './faults.ts'
import { HeaderList } from './headers.ts'

/** Codes of gRPC, those that a proxy gives (https://grpc.io/docs/guides/status-codes/). */
const grpcStatus = {
  INVALID_ARGUMENT: 3, DEADLINE_EXCEEDED: 4, NOT_FOUND: 5, PERMISSION_DENIED: 7, RESOURCE_EXHAUSTED: 8, UNIMPLEMENTED: 12, INTERNAL: 13,
  UNAVAILABLE: 14, UNAUTHENTICATED: 16,
} as const

/** By the HTTP status of a fault. No route is no method of any service. */
const byStatus: Readonly<Record<number, number>> = {
  400: grpcStatus.INVALID_ARGUMENT,
  401: grpcStatus.UNAUTHENTICATED,
  403: grpcStatus.PERMISSION_DENIED,
  404: grpcStatus.UNIMPLEMENTED,
  408: grpcStatus.DEADLINE_EXCEEDED,
  413: grpcStatus.RESOURCE_EXHAUSTED,
  414: grpcStatus.RESOURCE_EXHAUSTED,
  417: grpcStatus.INVALID_ARGUMENT,
  426: grpcStatus.UNIMPLEMENTED,
  429: grpcStatus.RESOURCE_EXHAUSTED,
  431: grpcStatus.RESOURCE_EXHAUSTED,
  500: grpcStatus.INTERNAL,
  501: grpcStatus.UNIMPLEMENTED,
  502: grpcStatus.UNAVAILABLE,
  503: grpcStatus.UNAVAILABLE,
  504: grpcStatus.DEADLINE_EXCEEDED,
}

/** Where the status says less than the fault does: asking again would not help, and UNAVAILABLE would say that it does. */
const byFault: Partial<Readonly<Record<FaultCode, number>>> = {
  UPSTREAM_PROTOCOL: grpcStatus.INTERNAL,
  UPSTREAM_HTTP_VERSION: grpcStatus.INTERNAL,
  AGENT_ANSWER_TOO_LARGE: grpcStatus.RESOURCE_EXHAUSTED,
}

/** What a fault is called in gRPC. */
export function grpcStatusOf (code: FaultCode): number {
  return byFault[code] ?? byStatus[faults[code].status] ?? grpcStatus.INTERNAL
}

/** Codes with which a server says that it, and not its client, is to blame: DEADLINE_EXCEEDED, UNAVAILABLE, and UNKNOWN, INTERNAL, DATA_LOSS. */
const serversFault: Readonly<Record<string, number>> = { 4: 504, 14: 503, 2: 500, 13: 500, 15: 500 }

/** What an answer that is nothing but a status of gRPC says about the server, as HTTP would say it. */
export function statusBehindGrpc (status: number, headers: HeaderList): number {
  return status === 200 ? serversFault[headers.get('grpc-status') ?? ''] ?? status : status
}

/** Whether the client speaks gRPC. It does so in HTTP/2 only: elsewhere it could not read the answer (grpc-web is another protocol). */
export function isGrpc ({ request }: Pick<Exchange, 'request'>): boolean {
  if (request.version !== '2') return false
  const type = request.headers.get('content-type')
  return type !== undefined && /^application\/grpc(?:$|[+; ])/i.test(type)
}

/** A fault as a client of gRPC reads it: HTTP went well, the call did not, and there is no message ("Trailers-Only"). */
export function grpcFaultReply (code: FaultCode, sentence: string, requestId: string): Reply {
  const headers = HeaderList.from({
    'Content-Type': 'application/grpc',
    'Grpc-Status': String(grpcStatusOf(code)),
    'Grpc-Message': percentEncoded(`${sentence} Request id: ${requestId}`),
    'X-Request-Id': requestId,
  })
  return { status: 200, headers, body: undefined }
}

function percentEncoded (text: string): string {
  return text.replace(/[^ -$&-~]/g, (char) => encodeURIComponent(char))
}
