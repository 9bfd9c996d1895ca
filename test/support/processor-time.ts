/** Milliseconds of processor time that this process spends on it: what else the machine does is not counted. */
export function processorMs (work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1_000
}
