import { globMatcher } from './purge.ts'
import type { RouteCacheSettings } from './settings.ts'

/** Whether a path is one whose answers are not kept. */
export function exclusion ({ excludeExtensions, excludePaths }: RouteCacheSettings): (path: string) => boolean {
  if (excludeExtensions.length === 0 && excludePaths.length === 0) return () => false
  const endings = new Set(excludeExtensions)
  const patterns = excludePaths.map(globMatcher)
  return (path) => {
    const name = path.slice(path.lastIndexOf('/') + 1)
    const dot = name.lastIndexOf('.')
    if (dot !== -1 && endings.has(name.slice(dot + 1).toLowerCase())) return true
    return patterns.some((matches) => matches(path))
  }
}
