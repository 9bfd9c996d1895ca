import type { Entry } from '../evidence/chain.ts'
import type { Evidence, EvidenceStats } from '../evidence/evidence.ts'

/**
 * The evidence file of this process. Only one process writes a file, so that a successor gets it before it serves; what still happens here is kept
 * for as long as it is not known who writes, and then said to whoever does.
 */
export class LentEvidence {
  readonly #open: () => Promise<Evidence>
  readonly #maxQueue: number
  #writer: Evidence | undefined
  #stats: EvidenceStats
  #waiting: Entry[] = []
  #lost = 0
  #heir: ((entry: Entry) => void) | undefined
  #lending: Promise<void> | undefined

  private constructor (open: () => Promise<Evidence>, maxQueue: number, writer: Evidence) {
    this.#open = open
    this.#maxQueue = maxQueue
    this.#writer = writer
    this.#stats = writer.stats()
  }

  /** Rejects as `openEvidence` does. */
  static async open (open: () => Promise<Evidence>, maxQueue: number): Promise<LentEvidence> {
    return new LentEvidence(open, maxQueue, await open())
  }

  /** Never throws, never waits. */
  add (entry: Entry): void {
    if (this.#writer !== undefined) this.#writer.add(entry)
    else if (this.#heir !== undefined) this.#heir(entry)
    else if (this.#waiting.length < this.#maxQueue) this.#waiting.push(entry)
    else this.#lost++
  }

  /** So many were lost before they came here. */
  lost (count: number): void {
    if (this.#writer !== undefined) this.#writer.lost(count)
    else this.#lost += count
  }

  stats (): EvidenceStats {
    if (this.#writer !== undefined) return this.#writer.stats()
    return { ...this.#stats, queued: this.#waiting.length, dropped: this.#stats.dropped + this.#lost }
  }

  /** Writes what waits, and lets go of the file. */
  async lend (): Promise<void> {
    const writer = this.#writer
    if (writer === undefined) return
    this.#writer = undefined
    this.#stats = writer.stats()
    await (this.#lending = writer.close())
  }

  /** Nobody else writes it. Rejects when it cannot be opened any more: what happens waits. */
  async takeBack (): Promise<void> {
    if (this.#writer !== undefined) return
    await this.#lending
    const writer = this.#writer = await this.#open()
    for (const entry of this.#waiting.splice(0)) writer.add(entry)
  }

  /** It is the other process's from now on. */
  giveTo (heir: (entry: Entry) => void): void {
    if (this.#writer !== undefined) return
    this.#heir = heir
    for (const entry of this.#waiting.splice(0)) heir(entry)
  }

  async close (): Promise<void> {
    await this.#writer?.close()
  }
}
