import type { Stream } from './stream.ts'

/** Bytes that are pulled when there is room for them; a pipeline's `Body` is one. One `read` at a time. */
export interface Source {
  /** Bytes to come, `undefined` when only the end tells. */
  readonly length: number | undefined
  /** The next chunk (never empty), or `undefined` at the end. `null`: nothing now, and `Stream.wake` says when there is. */
  read (): Buffer | undefined | null | Promise<Buffer | undefined>
  /** Field lines behind the bytes, known once `read` gave `undefined`. */
  readonly trailers: { raw (): readonly string[] } | undefined
}

/** Why a stream is over before both sides had ended it. */
export interface Broken {
  /** A number of `errorCode`. */
  readonly code: number
  /** Who ended it: the other side, we ourselves (its frames were wrong), or the connection that is gone. */
  readonly by: 'peer' | 'us' | 'connection'
  /** The other side says that it did nothing about the stream: the request may be sent again. */
  readonly unprocessed: boolean
  /** For the log. */
  readonly detail: string
}

/**
 * Whoever has a stream. Header lists are flat, `[name, value, …]`, latin1, names in lower case, pseudo-fields (":status") first. That
 * names and values consist of characters they may have was checked, and that no field of connections is there; which pseudo-fields there are was not.
 */
export interface StreamUser {
  /** A head: of an answer, or an interim one (client). The head of a request goes to `SessionUser.opened`. `ended`: nothing follows. */
  head (fields: string[], ended: boolean): void
  /** A piece of the body, never empty, unless it is the end. The user calls `stream.consumed` for it when it was read. */
  data (bytes: Buffer, ended: boolean): void
  /** Fields behind the body, without pseudo-fields. Nothing follows. */
  trailers (fields: string[]): void
  /** What was sent is with the connection, to its end. */
  sent (): void
  /** Reading the source failed. The user decides what becomes of the stream. */
  failed (error: unknown): void
  /** The stream is over before its time. Called once, not for a `reset` of the user's own, and never after both sides have ended. */
  broken (reason: Broken): void
}

/** A head that breaks rules which are no matter of framing: it is told about once for each stream. */
export interface HeadProblem {
  readonly kind: 'malformed' | 'too-large' | 'line-too-large'
  readonly detail: string
}

/** Whoever has a connection. */
export interface SessionUser {
  /**
   * Server: the other side opened a stream. With a `problem`, `fields` is not whole. `undefined` when the user has reset it already.
   * The stream keeps its place among the open ones until `stream.release`.
   */
  opened? (stream: Stream, fields: string[], ended: boolean, problem: HeadProblem | undefined): StreamUser | undefined
  /** Client: settings came, streams ended, or the other side goes away: what `Session.room` says may have changed. */
  roomChanged? (): void
  /** Client: the other side goes away, with a number of `errorCode`. Streams that it left out are told next. */
  goesAway? (code: number): void
  /** Something that the log should know: a connection error, by whom, and why. */
  trouble (detail: string): void
  /** The connection is gone; its streams were told before. */
  closed (): void
}

/** What one side allows the other, and itself. */
export interface SessionSettings {
  readonly role: 'server' | 'client'
  /** Streams that the other side may have open (server), or that we open at most (client; the other side may allow fewer). */
  readonly maxStreams: number
  /** All names and values of a head, four bytes for each field on top: what they would take in HTTP/1.1. */
  readonly maxHeaderBytes: number
  /** Field lines; crumbs of a cookie count as one. */
  readonly maxHeaderCount: number
  /** Unread bytes that one stream may hold, and all of them together. */
  readonly streamWindowBytes: number
  readonly connectionWindowBytes: number
  /** Server: streams may become tunnels (RFC 8441). */
  readonly extendedConnect: boolean
  /** A socket that takes no byte for this long while something is to be sent is cut; without it, that is the user's business. */
  readonly socketIdleMs?: number
}
