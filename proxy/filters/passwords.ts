import { createHash, createHmac, randomBytes } from 'node:crypto'
import { Worker } from 'node:worker_threads'
import { Fault } from '../pipeline/faults.ts'
import type { PasswordQuestion, PasswordVerdict } from './password-thread.ts'

/** Passwords that wait for the thread; more are refused, so that nobody can make it a queue of minutes. */
const mostWaiting = 64
const idleMs = 30_000
/** Credentials that were right, by a digest that means nothing outside of this process. */
const mostRemembered = 1_000

interface Waiting {
  readonly resolve: (right: boolean) => void
  readonly reject: (error: Fault) => void
}

/** Compares passwords with their hashes, off the event loop, and remembers what was right. */
export class Passwords {
  readonly #key = randomBytes(32)
  readonly #right = new Set<string>()
  readonly #underWay = new Map<string, Promise<boolean>>()
  readonly #waiting = new Map<number, Waiting>()
  #thread: Worker | undefined = undefined
  #idle: NodeJS.Timeout | undefined = undefined
  #next = 0

  /** Whether this was right before. */
  remembers (user: string, password: string, users: ReadonlyMap<string, string>): boolean {
    const hash = users.get(user)
    return hash !== undefined && this.#right.has(this.#digestOf(user, password, hash))
  }

  /** Rejects with OVERLOADED when too many wait. */
  async check (user: string, password: string, users: ReadonlyMap<string, string>): Promise<boolean> {
    const known = users.get(user)
    // Somebody who is not there takes as long as one of those who are, so that nobody can find out who is.
    const hash = known ?? standIn(user, [...users.values()])
    const digest = this.#digestOf(user, password, hash)
    let answer = this.#underWay.get(digest)
    if (answer === undefined) {
      answer = this.#ask(password, hash).finally(() => this.#underWay.delete(digest))
      this.#underWay.set(digest, answer)
    }
    if (!await answer || known === undefined) return false
    this.#remember(digest)
    return true
  }

  async close (): Promise<void> {
    clearTimeout(this.#idle)
    await this.#thread?.terminate()
  }

  #digestOf (user: string, password: string, hash: string): string {
    return createHmac('sha256', this.#key).update(JSON.stringify([user, password, hash])).digest('base64')
  }

  #remember (digest: string): void {
    if (this.#right.size >= mostRemembered) this.#right.delete(this.#right.values().next().value!)
    this.#right.add(digest)
  }

  #ask (password: string, hash: string): Promise<boolean> {
    if (this.#waiting.size >= mostWaiting) return Promise.reject(new Fault('OVERLOADED', 'too many passwords wait to be checked'))
    const thread = this.#thread ??= this.#start()
    clearTimeout(this.#idle)
    const id = this.#next++
    const question: PasswordQuestion = { id, password, hash }
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      thread.postMessage(question)
    })
  }

  #start (): Worker {
    const thread = new Worker(new URL('./password-thread.js', import.meta.url), { resourceLimits: { maxOldGenerationSizeMb: 32 } })
    thread.unref()
    thread.on('message', ({ id, right }: PasswordVerdict) => {
      this.#waiting.get(id)?.resolve(right)
      this.#waiting.delete(id)
      if (this.#waiting.size === 0) this.#idle = setTimeout(() => void thread.terminate(), idleMs).unref()
    })
    let why = 'it ended'
    thread.on('error', (error) => { why = error.message })
    thread.on('exit', () => this.#ended(thread, why))
    return thread
  }

  #ended (thread: Worker, why: string): void {
    if (this.#thread !== thread) return
    this.#thread = undefined
    for (const { reject } of this.#waiting.values()) reject(new Fault('INTERNAL', `the thread that checks passwords: ${why}`))
    this.#waiting.clear()
  }
}

/** Always the same for one name: as a user's own would be. */
function standIn (user: string, hashes: readonly string[]): string {
  return hashes[createHash('sha256').update(user).digest().readUInt32BE() % hashes.length]!
}
