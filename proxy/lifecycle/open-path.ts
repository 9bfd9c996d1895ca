import { availableParallelism } from 'node:os'
import type { SentinelConfig } from '../../config/sentinel/index.ts'
import type { DataPath } from './seam.ts'
import type { PoolOptions } from './workers/pool.ts'

type Options = Omit<PoolOptions, 'workers'> & { readonly env: Readonly<Record<string, string | undefined>> }

/** The parts are imported when they are needed: a main that has others serve does without them. */
export async function openPath ({ system: { workerThreads } }: SentinelConfig, { env, orders, ...common }: Options): Promise<DataPath> {
  const workers = workerThreads === 0 ? availableParallelism() : workerThreads
  if (workers > 1) return new (await import('./workers/pool.ts')).WorkerPool({ ...common, workers, orders })
  return new (await import('./worker.ts')).Worker({ ...common, env })
}
