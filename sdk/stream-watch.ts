import type { Event, Reply } from '../proto/codec/index.ts'

/** Looks on while a stream works: for those who show what an agent does. */
export interface StreamWatch {
  received (event: Event): void
  replied (reply: Reply): void
}
