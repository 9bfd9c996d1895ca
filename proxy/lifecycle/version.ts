import { readFileSync } from 'node:fs'
import { packageFile } from './package-file.ts'

/** The version in package.json, read once. */
export const readVersion = (() => {
  let version: string | undefined
  return (): string => (version ??= (JSON.parse(readFileSync(packageFile('package.json'), 'utf8')) as { version: string }).version)
})()
