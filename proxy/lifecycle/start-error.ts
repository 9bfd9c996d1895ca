import type { Problem } from '../../config/sentinel/index.ts'

/** Something that keeps the proxy from starting or from taking over a configuration; the message is for the operator. */
export class StartError extends Error {
  readonly problems: readonly Problem[]

  constructor (message: string, problems: readonly Problem[] = [], cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'StartError'
    this.problems = problems
  }
}
