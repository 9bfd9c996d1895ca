/** Puts the package of the SDK together: `node dist/sdk/publish/pack.js FOLDER`. What is in the folder then can be packed and published by npm. */
import { existsSync, readdirSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { assemble } from './assemble.ts'

const root = resolve(import.meta.dirname, '../../..')
const [target] = process.argv.slice(2)
if (target === undefined) {
  process.stderr.write('Say where to: node dist/sdk/publish/pack.js FOLDER\n')
  process.exitCode = 2
} else if (existsSync(target) && readdirSync(target).length > 0) {
  process.stderr.write(`${target} is not empty; name a folder that is, or that does not exist yet.\n`)
  process.exitCode = 2
} else {
  const { files } = assemble(root, resolve(target))
  process.stdout.write(`${resolve(target)} holds the package, ${files.length} files. Now: npm publish ${dirname(target) === '.' ? './' : ''}${target}\n`)
}
