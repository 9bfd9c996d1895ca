/** Why an evidence file cannot be opened. The message names the file and says what to do. */
export class EvidenceError extends Error {
  readonly code: 'EVIDENCE_UNWRITABLE' | 'EVIDENCE_LOCKED' | 'EVIDENCE_BROKEN'

  constructor (code: EvidenceError['code'], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'EvidenceError'
    this.code = code
  }
}
