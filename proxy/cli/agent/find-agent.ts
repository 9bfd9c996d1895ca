import { existsSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

export interface FoundAgent {
  readonly file: string
  readonly folder: string
}

const names = ['agent.ts', 'agent.js', 'agent.mts', 'agent.mjs']

/** The file of an agent: the one that is named, or that of the folder. A sentence when there is none. */
export function findAgent (cwd: string, given: string | undefined): FoundAgent | string {
  const path = resolve(cwd, given ?? '.')
  if (!existsSync(path)) return `${path} does not exist.`
  if (!statSync(path).isDirectory()) {
    return /\.m?[jt]s$/.test(path) ? { file: path, folder: dirname(path) } : `${path} is no TypeScript or JavaScript: its name ends in .ts, .js, .mts or .mjs.`
  }
  const file = names.map((name) => join(path, name)).find((candidate) => existsSync(candidate))
  if (file !== undefined) return { file, folder: path }
  return `there is no ${names.slice(0, 2).join(' and no ')} in ${path}. Make an agent with: sentinel agent new NAME`
}
