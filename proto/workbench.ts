/**
 * What `sentinel agent dev` and the process in which an agent is being worked on say to each other, over the channel that Node gives to a child. Both come from
 * the same installation, so nothing here has a version.
 */

export type WorkbenchOrder =
  /** Load the agent of this file and serve it there. `inspectPort`: open the inspector first; 0 = any port. */
  | { readonly order: 'load', readonly file: string, readonly socket: string, readonly inspectPort: number | undefined }
  /** Let go of the inspector's port: the next process needs it. */
  | { readonly order: 'close-inspector' }
  | { readonly order: 'open-inspector', readonly port: number }
  /** No new exchanges; end when the open ones are over. */
  | { readonly order: 'drain' }

export type WorkbenchNews =
  /** Everything but the agent is loaded. */
  | { readonly news: 'warm' }
  | { readonly news: 'serving', readonly name: string, readonly files: readonly string[] }
  /** `why` begins with the place. */
  | { readonly news: 'failed', readonly why: string, readonly files: readonly string[] }
  | { readonly news: 'inspector', readonly url: string | undefined }
  | { readonly news: 'logged', readonly level: 'debug' | 'info' | 'warn' | 'error', readonly text: string }
  | ({ readonly news: 'decided' } & Decided)

/** One answer of the agent. Its texts may hold anything. */
export interface Decided {
  readonly method: string
  readonly path: string
  /** What was asked about: "request", "request body", "response", "response body". */
  readonly about: string
  /** "allow", "block" …, "chunk" for a changed piece of a body, or "error". */
  readonly decision: string
  /** Of a block or a redirect; 0 otherwise. */
  readonly status: number
  /** The audit's reason, or what went wrong. */
  readonly reason: string
  /** What is changed, each as a few words. */
  readonly edits: readonly string[]
  readonly ms: number
}
