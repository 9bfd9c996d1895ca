import { randomUUID } from 'node:crypto'
import { open, readFile, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { buffer } from 'node:stream/consumers'

/** The text of a file, or of the standard input without one. Throws when it cannot be read or is not UTF-8. */
export async function readSource (path: string | undefined): Promise<string> {
  const bytes = path === undefined ? await buffer(process.stdin) : await readFile(path)
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new Error('it is not UTF-8 text')
  }
}

/** Puts another content in the place of a file's in one step: whoever reads meanwhile sees all of the old or all of the new one. Its mode stays. */
export async function replaceFile (path: string, text: string): Promise<void> {
  // A link stays a link: what it leads to is replaced.
  const target = await realpath(path)
  const facts = await stat(target)
  const temporary = join(dirname(target), `.${basename(target)}.${randomUUID()}.tmp`)
  try {
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(text)
      // Before the mode: to change the owner takes special bits away. Only the superuser can give a file to somebody else.
      if (facts.uid !== process.getuid?.() || facts.gid !== process.getgid?.()) await file.chown(facts.uid, facts.gid)
      await file.chmod(facts.mode & 0o7777)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, target)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}
