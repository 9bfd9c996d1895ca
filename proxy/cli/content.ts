import type { OptionValues, Shell } from './command.ts'

/** What an option says: its text, or with @ in front what is in that file. Rejects when that cannot be read. */
export async function contentOf (shell: Shell, given: OptionValues[string]): Promise<Buffer | undefined> {
  if (typeof given !== 'string') return undefined
  if (!given.startsWith('@')) return Buffer.from(given)
  const { readFile } = await import('node:fs/promises')
  const { resolve } = await import('node:path')
  return readFile(resolve(shell.cwd, given.slice(1)))
}
