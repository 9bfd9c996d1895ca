import type { MaybePromise } from '../pipeline/body.ts'
import type { KeptPlace } from '../pipeline/kept-answers.ts'
import type { Address, Kept, Stored, ValueOf } from './stored.ts'

/** Names an answer for a purge. */
export type Meant = (address: Address, tags: readonly string[]) => boolean

/** A place for answers. None of its methods rejects: what cannot be had or done is a miss, and the log says why. */
export interface Store {
  find (base: string, valueOf: ValueOf): MaybePromise<Kept | undefined>
  /** Takes the place of the answer for the same request. `body` is not changed afterwards by anybody. */
  put (stored: Stored, body: Buffer): MaybePromise<void>
  /** The same answer with other fields: a 304 said so. */
  refresh (kept: Kept, stored: Stored): MaybePromise<void>
  /** How many there were. `path`: all that can be meant have this one, so that the others need not be looked at. */
  purge (isMeant: Meant, path?: string): MaybePromise<number>
  readonly places: { readonly memory: KeptPlace, readonly disk: KeptPlace }
  readonly evictions: number
  close (): Promise<void>
}
