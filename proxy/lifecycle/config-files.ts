import { createHash } from 'node:crypto'
import { readFileSync, realpathSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { everyMember, existingFile, givenValue } from '../../config/schema/index.ts'
import { effectiveConfig, type Loaded } from '../../config/sentinel/index.ts'

/** All that a configuration was made of. */
export interface ConfigFiles {
  /** Absolute paths: the texts, the files that settings name, and those whose content stands in for a value. */
  readonly files: readonly string[]
  /** Those of the files, of what links among them lead to, and those in which a new file would count. */
  readonly folders: readonly string[]
}

/** A file with more than this is known by its date: databases are not hashed at each look. */
const mostHashedBytes = 4 * 1024 * 1024

export function configFiles (loaded: Loaded): ConfigFiles {
  const named: string[] = []
  for (const member of everyMember(effectiveConfig(loaded))) {
    if (member.kind !== 'setting' || member.row.type !== existingFile || !member.inEffect) continue
    for (const value of member.values) {
      const path = givenValue(value)
      if (typeof path === 'string' && value.at !== undefined) named.push(resolve(dirname(value.at.file), path))
    }
  }
  const contents = [...loaded.sources].flatMap(([file, text]) => [...text.matchAll(/\$\{file:([^}]+)\}/g)].map(([, path]) => resolve(dirname(file), path!)))
  const files = [...new Set([...loaded.files, ...named, ...contents])]
  return { files, folders: [...new Set([...loaded.folders, ...files.flatMap((file) => [dirname(file), ...linkedFolder(file)])])] }
}

/** A digest of what is in them now: the texts as they were read, the others as they are. */
export function contentOf (loaded: Loaded, { files }: ConfigFiles): string {
  const hash = createHash('sha256')
  const texts = new Map([...loaded.sources].map(([file, text]) => [resolve(file), text]))
  for (const file of files) hash.update(JSON.stringify([file, texts.get(file) ?? otherContent(file)]))
  return hash.digest('hex')
}

/** Whether it is worth to look into them: dates, sizes and identities, and what is in the folders where new ones count. */
export function stampOf ({ files, folders }: ConfigFiles): string {
  return [...files, ...folders].map(stampOfOne).join('\n')
}

function stampOfOne (path: string): string {
  try {
    const { ino, size, mtimeMs, ctimeMs } = statSync(path)
    return `${ino} ${size} ${mtimeMs} ${ctimeMs}`
  } catch {
    return ''
  }
}

function otherContent (file: string): string {
  try {
    return statSync(file).size > mostHashedBytes ? stampOfOne(file) : readFileSync(file, 'base64')
  } catch {
    return ''
  }
}

function linkedFolder (file: string): string[] {
  try {
    return [dirname(realpathSync(file))]
  } catch {
    return []
  }
}
