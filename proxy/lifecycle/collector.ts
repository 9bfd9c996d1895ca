import { setFlagsFromString } from 'node:v8'

/**
 * Settings of V8's garbage collector, made before the proxy's parts are loaded; the function returned is called once everything stands.
 *
 * Young objects are collected by one thread: a worker has one core, and helper threads take their share of it from the requests (5 to 10 %
 * of the CPU of plain proxying). While the program loads, the young generation stays small: what loads lives on, and the memory taken for it
 * would not be needed again. V8 lets both be changed in a running process, unlike `--single-threaded-gc`.
 */
export function settleCollector (): () => void {
  setFlagsFromString('--no-parallel-scavenge')
  setFlagsFromString('--semi-space-growth-factor=1')
  return () => setFlagsFromString('--semi-space-growth-factor=2')
}
