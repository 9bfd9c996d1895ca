/** Writes what is derived from the table. `--check` only compares, for CI. Run as `node dist/config/generate.js`. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { problemCodes } from './kdl/position.ts'
import { toJsonSchema } from './schema/json-schema.ts'
import { toMarkdown } from './schema/markdown.ts'
import { groups, table } from './sentinel/table.ts'

const intro = `# The configuration language

This page is made from the declarations in \`config/sentinel\` by \`node dist/config/generate.js\`. Do not edit it.

A configuration is one [KDL 2](https://kdl.dev) file. Settings are nodes (\`name value\`), blocks hold settings. The order of blocks is free;
the order of routes and filters counts. A setting may also be written as a property of its block (\`agent "waf" type="waf"\`).
Anything unknown, given twice or of the wrong type is an error.

- **duration**: \`"250ms"\`, \`"30s"\`, \`"5m"\`, \`"1h30m"\`, \`"2d"\`.
- **size**: \`"8KiB"\`, \`"10MiB"\` (powers of 1024), \`"10MB"\` (powers of 1000), or a number of bytes.
- Paths are relative to the folder of the file.
- In strings, \`\${NAME}\` is replaced by the environment's value, \`\${NAME:-default}\` has a default,
  and \`\${file:/path}\` is the content of a file without the last line end.
  What is missing is an error. \`$\${\` stands for a plain \`\${\`. Values from outside are never shown in messages.
- Other spellings of existing files are accepted with a note, and \`sentinel fmt --write\` rewrites them. One that ends in a unit (\`timeout-ms\`)
  takes a plain number.
- What is *not in effect yet* is accepted and checked, and \`sentinel check\` says so.
- A free block (\`config\` of an agent) becomes JSON: one value → that value, several → an array, properties and blocks → an object,
  nothing → \`true\`, a repeated node → an array; a node with values and a block → an object with the values under \`"-"\`.

`

const codes = [
  '', '## Codes of problems', '', '| code | meaning |', '| --- | --- |', ...Object.entries(problemCodes).map(([code, doc]) => `| \`${code}\` | ${doc} |`), '',
].join('\n')

/** The whole reference page. */
export function referencePage (): string {
  return intro + toMarkdown(table, groups) + codes
}

/** The JSON schema of the language, as text. */
export function schemaText (): string {
  return JSON.stringify(toJsonSchema(table, { title: 'Sentinel configuration, in the JSON form of KDL' }), undefined, 2) + '\n'
}

export function generated (): Record<string, string> {
  return { 'config/REFERENCE.md': referencePage(), 'config/sentinel.schema.json': schemaText() }
}

/** The source tree, from wherever the compiled file is. */
export function sourceRoot (): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder)
    if (parent === folder) throw new Error('there is no package.json above this file')
    folder = parent
  }
  return folder
}

function main (check: boolean): number {
  const root = sourceRoot()
  let stale = 0
  for (const [file, content] of Object.entries(generated())) {
    const path = join(root, file)
    if (existsSync(path) && readFileSync(path, 'utf8') === content) continue
    stale++
    if (check) process.stderr.write(`${file} is not what config/sentinel says: run node dist/config/generate.js\n`)
    else writeFileSync(path, content)
  }
  return check && stale > 0 ? 1 : 0
}

if (process.argv[1] !== undefined && fileURLToPath(import.meta.url) === process.argv[1]) {
  process.exitCode = main(process.argv.includes('--check'))
}
