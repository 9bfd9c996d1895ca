import { dirname, resolve } from 'node:path'
import type { Effective } from '../schema/effective.ts'
import { effective } from '../schema/effective.ts'
import type { Loaded } from './load.ts'
import { olderBlocks, table } from './table.ts'

/** What a file that was read says when all defaults are counted. Relative paths start at the folder of their file unless `folderOf` says otherwise. */
export function effectiveConfig (
  { nodes, sources, absenceCounts }: Pick<Loaded, 'nodes' | 'sources' | 'absenceCounts'>, folderOf: (file: string) => string = file => dirname(resolve(file)),
): readonly Effective[] {
  const [file] = sources.keys()
  return effective(table, nodes, { folderOf, absenceCounts, older: olderBlocks, ...file === undefined ? {} : { file } })
}
