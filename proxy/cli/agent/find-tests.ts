import { readdirSync } from 'node:fs'
import { join } from 'node:path'

/** Sources of an agent's folder, what was installed left out. Absolute paths, sorted. */
export function sourcesOf (folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return entry.name === 'node_modules' || entry.name.startsWith('.') ? [] : sourcesOf(path)
    return /\.(?:[mc]?[jt]s|json)$/.test(entry.name) ? [path] : []
  }).toSorted()
}

export function isTest (path: string): boolean {
  return /\.test\.(?:m?[jt]s|cjs)$/.test(path)
}
