import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fromRoot } from '../paths.ts'
import type { SourceFile } from './check.ts'

/** Everything the project's own programs are made of. */
export const sourceFolders = ['config', 'proto', 'proxy', 'sdk', 'agents', 'examples', 'test', '.ci']

/** Every TypeScript and JavaScript file of the repository. */
export function sourceFiles (folders: readonly string[] = sourceFolders): SourceFile[] {
  return folders.flatMap(walk)
    .filter((path) => /\.[cm]?[jt]s$/.test(path))
    .map((path) => ({ path, text: readFileSync(fromRoot(path), 'utf8') }))
}

/** Written by a program: its first line says so. */
export function isGenerated ({ text }: SourceFile): boolean {
  return /^\/[/*].*\bDo not edit\b/i.test(text.slice(0, 300).split('\n')[0] ?? '')
}

function walk (folder: string): string[] {
  if (!existsSync(fromRoot(folder))) return []
  return readdirSync(fromRoot(folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`
    if (!entry.isDirectory()) return [path]
    return entry.name === 'node_modules' || entry.name === 'dist' ? [] : walk(path)
  })
}
