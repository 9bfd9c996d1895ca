import type { Ended, Trial } from './trial.ts'

export interface Running {
  readonly trial: Trial
  readonly ended: Promise<Ended>
}

export interface Hedging {
  readonly delayMs: number
  /** Tries at a time. */
  readonly atOnce: number
  readonly first: () => Running
  /** Another one; `undefined` when there is nobody to ask, or none is allowed. */
  readonly further: () => Running | undefined
  readonly isGood: (ended: Ended) => boolean
  /** What came of one counts for nothing: another one goes on, or has answered. */
  readonly dropped: (ended: Ended) => void
}

/** Asks one target, and others as well while no answer comes. The first good answer counts, or else what the last one says; the others are given up at once. */
export function firstGood ({ delayMs, atOnce, first, further, isGood, dropped }: Hedging): Promise<Ended> {
  return new Promise((resolve) => {
    const running = new Set<Trial>()
    let settled = false
    const settle = (ended: Ended): void => {
      settled = true
      clearTimeout(timer)
      for (const trial of running) {
        trial.giveUp()
        dropped({ trial, reply: undefined, error: undefined })
      }
      resolve(ended)
    }
    const add = ({ trial, ended }: Running): void => {
      running.add(trial)
      void ended.then((its) => {
        running.delete(trial)
        // What was given up is over with whatever it had begun.
        if (settled) return
        if (isGood(its) || running.size === 0) settle(its)
        else dropped(its)
      })
    }
    const hedge = (): void => {
      const another = further()
      if (another === undefined) return
      add(another)
      if (running.size < atOnce) timer = setTimeout(hedge, delayMs)
    }
    add(first())
    let timer = setTimeout(hedge, delayMs)
  })
}
