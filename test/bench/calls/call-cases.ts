import type { Part } from '../case.ts'

export interface CallCase extends Part {
  readonly inFlight: number
  /** What is put: an event with 15 header fields, or a piece of a body of so many bytes. */
  readonly chunkBytes?: number
  readonly contenders: readonly CallerId[]
}

/** How an event gets to an agent and the answer back. The first is the floor. */
export const callers = {
  'echo': 'a raw echo (the floor)',
  'asked': 'Sentinel, an agent on the SDK',
  'asked-raw': 'Sentinel, an agent without the SDK',
  'chain-4': 'Sentinel, four agents on the SDK one after the other',
  'echo-4': 'four raw echoes one after the other (the floor of a chain)',
  'unary': 'grpc-js, a unary call each',
  'stream-each': 'grpc-js, a stream each',
} as const

export type CallerId = keyof typeof callers

const all: readonly CallerId[] = ['echo', 'asked', 'asked-raw', 'chain-4', 'echo-4', 'unary', 'stream-each']
const ofCalls = { unit: 'call', comparedWith: 'echo', contenders: all } as const

export const callCases: readonly CallCase[] = [
  {
    ...ofCalls,
    id: 'calls-64',
    title: 'Asking an agent, 64 calls in flight',
    conditions: 'one event with 15 header fields each over a Unix socket, in a process with the proxy\'s settings of V8 but without a proxy around it; CPU is of that process alone, the agents run on the other core; the floor is a length-prefixed message each way, encoded and decoded the same',
    inFlight: 64,
    figures: ['cpuUs', 'perSecond', 'p50Us', 'p99Us'],
  },
  {
    ...ofCalls,
    id: 'calls-1',
    title: 'Asking an agent, one call in flight',
    conditions: 'as above',
    inFlight: 1,
    figures: ['p50Us', 'p99Us', 'perSecond', 'cpuUs'],
  },
  {
    ...ofCalls,
    id: 'chunks-64k',
    title: 'Showing an agent bodies',
    conditions: '16 bodies in flight in pieces of 64 KiB, each answered with "pass" before the next one is sent',
    unit: 'piece',
    inFlight: 16,
    chunkBytes: 64 * 1024,
    contenders: ['echo', 'asked', 'asked-raw', 'unary'],
    figures: ['mbPerSecond', 'cpuUs', 'perSecond', 'p50Us'],
  },
]
