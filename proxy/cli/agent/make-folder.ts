import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/**
 * Makes a folder with these files, and gives why it could not. What exists already stays as it is; of a folder that could not be filled nothing is left.
 */
export function makeFolder (folder: string, files: ReadonlyMap<string, string>): string | undefined {
  try {
    mkdirSync(dirname(folder), { recursive: true })
    mkdirSync(folder)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    // A file where a folder above it should be says "exists" as well.
    return code === 'EEXIST' && existsSync(folder) ? `${folder} exists already; nothing was changed.` : `${folder} cannot be made: ${message}`
  }
  try {
    for (const [name, text] of files) writeFileSync(join(folder, name), text, { flag: 'wx' })
    return undefined
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    return `${folder} cannot be filled: ${(error as Error).message}`
  }
}
