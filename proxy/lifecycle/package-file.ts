import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Path of a file in the installed package, whether this runs from the sources or from the built tree. */
export function packageFile (...path: readonly string[]): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder)
    if (parent === folder) throw new Error('package.json of Sentinel not found above ' + fileURLToPath(import.meta.url))
    folder = parent
  }
  return join(folder, ...path)
}
