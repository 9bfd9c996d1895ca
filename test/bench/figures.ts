/** What can be read off a round. `spread`: the page shows the smallest and the largest of the rounds beside the median. */
export const figures = {
  cpuUs: { title: 'CPU µs per {unit}', digits: 1, spread: true },
  cpuUsPerMiB: { title: 'CPU µs per MiB', digits: 0, spread: true },
  agentUs: { title: 'of its agent', digits: 1, spread: false },
  perSecond: { title: '{unit}s/s', digits: 0, spread: true },
  mbPerSecond: { title: 'MB/s', digits: 0, spread: true },
  p50Ms: { title: 'p50 ms', digits: 2, spread: false },
  p99Ms: { title: 'p99 ms', digits: 2, spread: true },
  p50Us: { title: 'p50 µs', digits: 1, spread: true },
  p99Us: { title: 'p99 µs', digits: 0, spread: false },
  lateMs: { title: 'load late p99 ms', digits: 2, spread: false },
  resumedPercent: { title: 'resumed %', digits: 0, spread: false },
  busyPercent: { title: 'its core %', digits: 0, spread: false },
  loadPercent: { title: 'core of the load %', digits: 0, spread: false },
  foreignPercent: { title: 'others on its core %', digits: 0, spread: false },
  idleMb: { title: 'RSS idle MB', digits: 0, spread: false },
  idleSharedMb: { title: 'PSS idle MB', digits: 0, spread: false },
  loadedMb: { title: 'RSS loaded MB', digits: 0, spread: false },
  kbPerClient: { title: 'KB per client', digits: 1, spread: false },
} as const satisfies Readonly<Record<string, { readonly title: string, readonly digits: number, readonly spread: boolean }>>

export type FigureId = keyof typeof figures

/** One round of one contender; a figure that has no meaning there is not there. */
export type Sample = Readonly<Partial<Record<FigureId, number>>>

export interface Middle {
  readonly median: number
  readonly least: number
  readonly most: number
}

/** Undefined when no sample has it. */
export function middle (samples: readonly Sample[], figure: FigureId): Middle | undefined {
  const sorted = samples.flatMap((sample) => sample[figure] ?? []).sort((a, b) => a - b)
  const [least, most] = [sorted[0], sorted.at(-1)]
  if (least === undefined || most === undefined) return undefined
  const half = sorted.length >> 1
  const median = sorted.length % 2 === 1 ? sorted[half] : ((sorted[half - 1] ?? 0) + (sorted[half] ?? 0)) / 2
  return { median: median ?? 0, least, most }
}
