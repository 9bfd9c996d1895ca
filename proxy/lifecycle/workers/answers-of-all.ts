import type { KeptAnswers, KeptFacts, PurgeOutcome } from '../../pipeline/kept-answers.ts'
import type { Page, PageName } from '../seam.ts'
import type { AskAll, Result, ToMain, ToWorker } from './messages.ts'

interface Waiting {
  readonly resolve: (result: Result) => void
  readonly reject: (error: Error) => void
}

/** The answers that all workers keep, as one of them reaches them: by way of main. */
export class AnswersOfAll {
  readonly answers: KeptAnswers = {
    purge: (what) => this.#ask({ ask: 'purge', what }) as Promise<PurgeOutcome>, // What this question comes to.
    facts: () => this.#ask({ ask: 'kept' }) as Promise<KeptFacts>, // What this question comes to.
  }

  /** What the proxy as a whole says of itself. */
  page (name: PageName): Promise<Page> {
    return this.#ask({ ask: 'page', name }) as Promise<Page> // What this question comes to.
  }

  readonly #send: (message: ToMain) => void
  readonly #waiting = new Map<number, Waiting>()
  #asked = 0

  constructor (send: (message: ToMain) => void) {
    this.#send = send
  }

  told ({ id, result, error }: Extract<ToWorker, { to: 'told' }>): void {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (result !== undefined) waiting?.resolve(result)
    else waiting?.reject(new Error(error ?? 'nothing came of it'))
  }

  #ask (question: AskAll): Promise<Result> {
    return new Promise((resolve, reject) => {
      const id = ++this.#asked
      this.#waiting.set(id, { resolve, reject })
      this.#send({ from: 'askAll', id, question })
    })
  }
}
