import type { Profile } from './profile.ts'

/** Neither work nor a function: the process slept, or the profiler cannot tell. */
const waiting = new Set(['(idle)', '(root)'])

/** The functions with the most time of their own, then the same by file; in µs for each of what was counted. */
export function profileText ({ times, count, cpuUs }: Profile, unit: string, most = 40): string {
  const busy = times.filter(({ name }) => !waiting.has(name))
  const all = busy.reduce((sum, { selfUs }) => sum + selfUs, 0)
  const row = (selfUs: number, totalUs: number | undefined, label: string): string => [
    `${(selfUs / all * 100).toFixed(1)} %`.padStart(7),
    (selfUs / count).toFixed(2).padStart(9),
    (totalUs === undefined ? '' : (totalUs / count).toFixed(2)).padStart(9),
    ` ${label}`,
  ].join(' ')
  const files = new Map<string, number>()
  for (const { name, where, selfUs } of busy) {
    const file = where === '' ? name : where.replace(/:\d+$/, '')
    files.set(file, (files.get(file) ?? 0) + selfUs)
  }
  const topFiles = [...files].sort(([, a], [, b]) => b - a).slice(0, most >> 1)
  return [
    `${cpuUs.toFixed(1)} µs of CPU per ${unit} while it is profiled; what the kernel does before a callback begins, reading sockets above all, is in no function below.`,
    `${(all / count).toFixed(1)} µs of work per ${unit} over ${count} ${unit}s`,
    '',
    '   self  µs self  µs total  function',
    ...busy.slice(0, most).map(({ name, where, selfUs, totalUs }) => row(selfUs, totalUs, `${name}  ${where}`.trimEnd())),
    '',
    '   self  µs self            file',
    ...topFiles.map(([file, selfUs]) => row(selfUs, undefined, file)),
    '',
  ].join('\n')
}
