import { Socket } from 'node:net'
import type { Entry } from '../evidence/chain.ts'

/**
 * What a process and its successor tell each other, over the channel that Node.js makes between a process and one that it has spawned. The successor has
 * the listening sockets as descriptors from its first moment on; what only one process can have at a time it asks for.
 */

/** The name in the successor's environment under which it finds its descriptors. */
export const handoverVariable = 'SENTINEL_HANDOVER'

/** What the successor wants and only one process can have. */
export interface Wants {
  readonly evidence: string | undefined
  /** Sockets that the operator placed for agents whose programs are ours to run. */
  readonly agentSockets: readonly string[]
}

/** What must be the same for clients, whichever process they meet, and what is to be done at the end. */
export interface Legacy {
  readonly ticketSecret: string
  readonly cookieSecret: string
  /** Targets that the operator took out. */
  readonly drained: ReadonlyArray<readonly [upstream: string, target: string]>
  /** Unix sockets whose files are to be removed, by the names of their descriptors: those of a service manager stay. */
  readonly files: readonly string[]
}

export type ToPredecessor =
  | { readonly kind: 'release', readonly wants: Wants }
  /** It has places for agents that connect to the proxy. */
  | { readonly kind: 'agents' }
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed', readonly why: string }

export type ToSuccessor =
  | { readonly kind: 'released', readonly legacy: Legacy }
  /** A record of an exchange that is still finished there. */
  | { readonly kind: 'evidence', readonly file: string, readonly entry: Entry }
  /** The operator takes a target out, or puts it back, while the successor starts. */
  | { readonly kind: 'drained', readonly upstream: string, readonly target: string, readonly on: boolean }
  /** Comes with the socket: both accept from the same one, and a process that is about to end has no place for an agent. */
  | { readonly kind: 'agentArrived', readonly listener: string }

/** The process that handed this one its sockets. */
export interface Predecessor {
  /** Descriptors by name. */
  readonly descriptors: ReadonlyMap<string, number>
  /** It lets go of what is wanted. Resolves when it has, also when it is gone. */
  release (wants: Wants): Promise<Legacy | undefined>
  /** What the operator takes out and puts back there after `release`. */
  drains (take: (upstream: string, target: string, on: boolean) => void): void
  /** From now on the other one sends agents here that connect to the proxy, those that wait there for a place included. */
  agents (take: (listener: string, socket: Socket) => void): void
  /** This process serves: the other one finishes what it has, and ends. */
  ready (evidence: (file: string, entry: Entry) => void): void
  /** Resolves when it has ended. */
  gone (): Promise<void>
  /** The other one goes on as if nothing had been. Said a second time it is not heard. */
  failed (why: string): Promise<void>
}

type Channel = Pick<NodeJS.Process, 'send' | 'channel' | 'on' | 'off' | 'once' | 'connected' | 'disconnect'>

/** `undefined` for a process that was started by anybody else. Takes the name out of `env`. */
export function predecessorOf (env: NodeJS.ProcessEnv, channel: Channel = process): Predecessor | undefined {
  const text = env[handoverVariable]
  delete env[handoverVariable]
  if (text === undefined || channel.send === undefined) return undefined
  const descriptors = new Map(JSON.parse(text) as Array<[string, number]>) // Written by `startSuccessor`.
  const send = (message: ToPredecessor): Promise<void> => new Promise((resolve) => {
    if (channel.connected) channel.send!(message, undefined, undefined, () => resolve())
    else resolve()
  })
  return {
    descriptors,
    release: (wants) => new Promise((resolve) => {
      const done = (legacy?: Legacy): void => {
        channel.off('message', hear)
        channel.off('disconnect', done)
        resolve(legacy)
      }
      const hear = (message: ToSuccessor): void => { if (message.kind === 'released') done(message.legacy) }
      channel.on('message', hear)
      channel.once('disconnect', () => done())
      void send({ kind: 'release', wants })
    }),
    drains (take) {
      channel.on('message', (message: ToSuccessor) => { if (message.kind === 'drained') take(message.upstream, message.target, message.on) })
    },
    agents (take) {
      channel.on('message', (message: ToSuccessor, socket: unknown) => {
        // The peer may have gone on the way.
        if (message.kind === 'agentArrived' && socket instanceof Socket) take(message.listener, socket)
      })
      void send({ kind: 'agents' })
    },
    ready (evidence) {
      channel.on('message', (message: ToSuccessor) => { if (message.kind === 'evidence') evidence(message.file, message.entry) })
      // It must not keep this process alive.
      channel.channel?.unref()
      void send({ kind: 'ready' })
    },
    gone: () => new Promise((resolve) => {
      if (channel.connected) channel.once('disconnect', () => resolve())
      else resolve()
    }),
    async failed (why) {
      await send({ kind: 'failed', why })
      if (channel.connected) channel.disconnect()
    },
  }
}
