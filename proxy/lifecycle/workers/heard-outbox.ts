import type { Evidence, GateEvidence } from '../../upstreams/index.ts'
import type { ToMain } from './messages.ts'

/** What exchanges tell of targets goes to main together, all of one turn in one message. */
export class HeardOutbox {
  readonly #send: (message: ToMain) => void
  #tries: Evidence[] = []
  #gates: GateEvidence[] = []
  #turn: NodeJS.Immediate | undefined

  constructor (send: (message: ToMain) => void) {
    this.#send = send
  }

  add (evidence: Evidence): void {
    this.#tries.push(evidence)
    this.#turn ??= setImmediate(() => this.flush())
  }

  addGate (evidence: GateEvidence): void {
    this.#gates.push(evidence)
    this.#turn ??= setImmediate(() => this.flush())
  }

  flush (): void {
    clearImmediate(this.#turn)
    this.#turn = undefined
    this.#send({ from: 'heard', tries: this.#tries, gates: this.#gates })
    this.#tries = []
    this.#gates = []
  }
}
