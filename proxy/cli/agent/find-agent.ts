import { existsSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

export interface FoundAgent {
  readonly file: string
  readonly folder: string
}

const names = ['agent.ts', 'agent.js', 'agent.mts', 'agent.mjs', 'agent.cjs']

/** The file of an agent: the one that is named, or that of the folder. A sentence when there is none. */
export function findAgent (cwd: string, given: string | undefined): FoundAgent | string {
  const path = resolve(cwd, given ?? '.')
  if (!existsSync(path)) return `${path} does not exist.`
  if (!statSync(path).isDirectory()) {
    return /\.(?:m?[jt]s|cjs)$/.test(path) ? { file: path, folder: dirname(path) } : `${path} cannot be run as it is: the name of an agent's file ends in .ts, .js, .mts, .mjs or .cjs.`
  }
  const file = names.map((name) => join(path, name)).find((candidate) => existsSync(candidate))
  if (file !== undefined) return { file, folder: path }
  return `there is no ${names.slice(0, 2).join(' and no ')} in ${path}. Make an agent with: sentinel agent new NAME`
}
