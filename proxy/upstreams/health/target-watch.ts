import type { Tally } from '../outliers.ts'
import type { Outcome, Target } from '../target.ts'
import type { TargetSet } from '../target-set.ts'
import type { Evidence, JudgedBit, TargetOrder } from './evidence.ts'
import { outcomeOf } from './judgement.ts'
import type { StatusRange } from './settings.ts'

export interface WatchSettings {
  readonly upstream: string
  readonly failureStatus: readonly StatusRange[]
  /** How often all that happened is told, for rates and times; 0: nobody wants to know more than when things change. */
  readonly tallyMs: number
}

const bits: readonly JudgedBit[] = ['down', 'ejected', 'open', 'drained']

interface Counted extends Tally {
  ok: number
  failed: number
  gateway: number
  answerMs: number
  answers: number
  attentive: boolean
}

/**
 * Between the targets of one upstream and who judges them: tells how tries end, and does what it is told. A failure is told at once, a good try only
 * while somebody waits for it: a target that is well costs a few additions.
 */
export class TargetWatch {
  readonly #set: TargetSet
  readonly #tell: (evidence: Evidence) => void
  readonly #counted = new WeakMap<Target, Counted>()
  #settings: WatchSettings | undefined
  #timer: NodeJS.Timeout | undefined
  #listens = false

  constructor (set: TargetSet, tell: (evidence: Evidence) => void) {
    this.#set = set
    this.#tell = tell
  }

  /** `undefined`: nobody judges by how tries end. */
  configure (settings: WatchSettings | undefined): void {
    this.#settings = settings
    clearInterval(this.#timer)
    this.#timer = settings === undefined || settings.tallyMs === 0 ? undefined : setInterval(() => this.#tellAll(), settings.tallyMs).unref()
    if (settings === undefined || this.#listens) return
    this.#listens = true
    this.#set.onOutcome((target, outcome) => this.#note(target, outcome))
  }

  obey ({ target: name, reasons, probes, attentive, share, retryMs }: TargetOrder): void {
    const target = this.#set.get(name)
    if (target === undefined) return
    target.putOnProbation(probes)
    target.retryAtMs = performance.now() + retryMs
    this.#countOf(target).attentive = attentive
    this.#set.share(name, share)
    for (const bit of bits) this.#set.mark(name, bit, reasons.includes(bit))
  }

  close (): void {
    clearInterval(this.#timer)
  }

  #note (target: Target, outcome: Outcome): void {
    const settings = this.#settings
    if (settings === undefined) return
    const kind = outcomeOf(outcome, settings.failureStatus)
    if (kind === 'nothing') return
    if (outcome.probe) return this.#tell({ upstream: settings.upstream, target: target.name, probe: true, ...alone(kind, outcome) })
    const counted = this.#countOf(target)
    if (outcome.fault === undefined) {
      counted.answerMs += outcome.ms
      counted.answers++
    }
    if (kind === 'ok') counted.ok++
    else counted.failed++
    if (kind === 'gateway') counted.gateway++
    if (kind !== 'ok' || counted.attentive) this.#send(target, counted, settings)
  }

  #send (target: Target, counted: Counted, { upstream }: WatchSettings): void {
    const { attentive, ...tally } = counted
    Object.assign(counted, nothing)
    counted.attentive = attentive
    this.#tell({ upstream, target: target.name, probe: false, ...tally })
  }

  #tellAll (): void {
    for (const target of this.#set.targets) {
      const counted = this.#counted.get(target)
      if (counted !== undefined && counted.ok + counted.failed > 0 && this.#settings !== undefined) this.#send(target, counted, this.#settings)
    }
  }

  #countOf (target: Target): Counted {
    let counted = this.#counted.get(target)
    if (counted === undefined) this.#counted.set(target, counted = { ...nothing, attentive: false })
    return counted
  }
}

const nothing: Tally = { ok: 0, failed: 0, gateway: 0, answerMs: 0, answers: 0 }

function alone (kind: 'ok' | 'failed' | 'gateway', { fault, ms }: Outcome): Tally {
  const answers = fault === undefined ? 1 : 0
  return { ok: kind === 'ok' ? 1 : 0, failed: kind === 'ok' ? 0 : 1, gateway: kind === 'gateway' ? 1 : 0, answerMs: answers * ms, answers }
}
