import { setFlagsFromString } from 'node:v8'

/**
 * Settings of V8, made before the proxy's parts are loaded; the function returned is called once everything stands.
 *
 * Young objects are collected by one thread: a worker has one core, and helper threads take their share of it from the requests (5 to 10 %
 * of the CPU of plain proxying). While the program loads, the young generation stays small and nothing is optimised: what loads lives on, runs
 * once, and the memory that collector and optimising threads take for it (10 MB resident) would never be given back. The price is half a second
 * more at the start with ten thousand routes. V8 lets all of this be changed in a running process, unlike `--single-threaded-gc`.
 *
 * Objects are never allocated as old ones, which V8 would begin to do for places in the code whose objects outlived one unlucky collection: those of a
 * request die with it, and an old one that is dead keeps young ones of its request alive until the next full collection. With it a fiftieth to a
 * twelfth of what requests allocate grew old and a full collection came every two seconds, in the runs where it happened; without it next to nothing does.
 */
export function settleEngine (): () => void {
  setFlagsFromString('--no-parallel-scavenge')
  setFlagsFromString('--semi-space-growth-factor=1')
  setFlagsFromString('--no-opt')
  setFlagsFromString('--no-allocation-site-pretenuring')
  return () => {
    setFlagsFromString('--semi-space-growth-factor=2')
    setFlagsFromString('--opt')
  }
}
