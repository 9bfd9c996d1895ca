import type { OptionValues, Shell } from './command.ts'

/** What an option says: its text, or with @ in front what is in that file, `@-` being the standard input. Rejects when that cannot be read. */
export async function contentOf (shell: Shell, given: OptionValues[string]): Promise<Buffer | undefined> {
  if (typeof given !== 'string') return undefined
  if (!given.startsWith('@')) return Buffer.from(given)
  if (given === '@-') {
    const chunks: Buffer[] = []
    for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk as Buffer)) // Nobody has asked for text.
    return Buffer.concat(chunks)
  }
  const { readFile } = await import('node:fs/promises')
  const { resolve } = await import('node:path')
  return readFile(resolve(shell.cwd, given.slice(1)))
}
