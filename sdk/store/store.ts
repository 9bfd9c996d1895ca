/** What is remembered beyond one exchange: counters, sessions, answers of others. In the memory of the process, or in Redis, as the operator chose. */
export interface Store {
  /** The value, or undefined when there is none or its time is over. A counter reads as its decimal digits. */
  get (key: string): Promise<string | undefined>
  /** Writes a value, in place of what was there. Without `ttlMs` it stays until it is deleted, or until the memory is needed. */
  set (key: string, value: string, options?: StoreOptions): Promise<void>
  /**
   * Adds to a counter, in one step for all who do, and gives what it is now. One that is not there begins at 0, and `ttlMs` counts from then
   * on: later calls do not prolong it, so that a counter with a lifetime is a window. Rejects with a TypeError when the value is no integer.
   */
  increment (key: string, options?: StoreOptions & {
    /** An integer, 1 unless given, negative to subtract. */
    readonly by?: number
  }): Promise<number>
  /** Forgets a value. True when there was one. */
  delete (key: string): Promise<boolean>
}

/** How long a value lives. */
export interface StoreOptions {
  /** Milliseconds, at least 1. */
  readonly ttlMs?: number
}

/** A store that was opened by the SDK, which closes it too. */
export interface OwnedStore extends Store {
  close (): Promise<void>
}

/** Bytes of UTF-8 in a key. */
const maxKeyBytes = 1024
/** Bytes of UTF-8 in a value. */
const maxValueBytes = 1024 * 1024

/** Throws for what no store takes, so that a program behaves the same with each of them. */
export function checkKey (key: string): void {
  if (typeof key !== 'string' || key === '') throw new TypeError('a key of the store is a text, and not an empty one')
  if (Buffer.byteLength(key) > maxKeyBytes) throw new RangeError(`a key of the store is longer than ${maxKeyBytes} bytes`)
}

export function checkValue (value: string): void {
  if (typeof value !== 'string') throw new TypeError('a value of the store is a text; JSON.stringify makes one')
  if (Buffer.byteLength(value) > maxValueBytes) throw new RangeError(`a value of the store is longer than ${maxValueBytes} bytes`)
}

/** Milliseconds as a whole number, or undefined for "no end". */
export function checkedTtl ({ ttlMs }: StoreOptions): number | undefined {
  if (ttlMs === undefined) return undefined
  if (!(ttlMs >= 1 && ttlMs <= Number.MAX_SAFE_INTEGER)) throw new RangeError(`a lifetime is at least 1 ms, not ${ttlMs}`)
  return Math.ceil(ttlMs)
}

export function checkStep (by: number): void {
  if (!Number.isSafeInteger(by)) throw new RangeError(`a counter goes by whole numbers, not by ${by}`)
}

export function noCounter (): TypeError {
  return new TypeError('the value under this key is no counter')
}

export function counterFull (): RangeError {
  return new RangeError('the counter would be larger than a number can be')
}
