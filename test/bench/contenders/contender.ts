import type { Running } from '../processes.ts'

/** What a contender is to do in a case: one listener, everything goes to one upstream. */
export interface Setup {
  readonly upstreamPort: number
  /** Speaks TLS with this certificate, and HTTP/2 to those who ask for it. */
  readonly certificate: Certificate | undefined
  readonly websocket: boolean
  /** Answers come piece by piece, and every piece is to be passed on at once. */
  readonly streaming: boolean
  /** Folder of files to answer with, in place of the upstream. */
  readonly files: string | undefined
  /** Processes or threads that serve. */
  readonly workers: number
}

/** Files in PEM; `both` holds them one after the other. */
export interface Certificate {
  readonly cert: string
  readonly key: string
  readonly both: string
}

export interface Contender {
  readonly id: string
  readonly title: string
  /** Why it cannot take part on this machine. */
  readonly missing: string | undefined
  /** "nginx 1.22.1": for the page; empty when somebody else says it. */
  readonly version: string
  /** Why it cannot do that, when it cannot. */
  unable? (setup: Setup): string | undefined
  /** Starts it with files of its own in `folder`, which exists; `flags` are Node's, for what runs in Node. */
  start (folder: string, setup: Setup, flags: readonly string[]): Promise<Running>
  /** Compiles itself while it runs: the first seconds cost twice as much as the others. */
  readonly compiles: boolean
}
