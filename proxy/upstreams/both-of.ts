import type { Watcher } from './attempt.ts'

/** One try that two are told of. */
export function bothOf (first: Watcher, second: Watcher): Watcher {
  return {
    answered (status, ms) {
      first.answered(status, ms)
      second.answered(status, ms)
    },
    failed (fault, ms) {
      first.failed(fault, ms)
      second.failed(fault, ms)
    },
    broke (status, fault) {
      first.broke(status, fault)
      second.broke(status, fault)
    },
    tunnelled () {
      first.tunnelled()
      second.tunnelled()
    },
    over (tunnel) {
      first.over(tunnel)
      second.over(tunnel)
    },
  }
}
