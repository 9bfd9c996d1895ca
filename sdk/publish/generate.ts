/** Writes what is derived from the SDK. `--check` only compares, for CI. Run as `node dist/sdk/publish/generate.js`. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { apiReport } from './api-report.ts'
import { assemble } from './assemble.ts'
import { filled } from './hooks.ts'

const root = resolve(import.meta.dirname, '../../..')

const intro = `# The public names of the SDK

This page is made from the types of the package by \`node dist/sdk/publish/generate.js\`. Do not edit it. A change here is a change that authors of agents will see.
What each name means stands in its docstring, which editors show.
`

const entryPoints = [['@sentinel-proxy/sdk', 'sdk/index.d.ts'], ['@sentinel-proxy/sdk/testing', 'sdk/testing/index.d.ts']] as const

export interface Generated {
  /** Path relative to the repository → content. */
  readonly files: Readonly<Record<string, string>>
  /** Public names without a docstring. */
  readonly undocumented: readonly string[]
}

export function generated (): Generated {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-sdk-'))
  try {
    assemble(root, folder)
    const reports = entryPoints.map(([name, entry]) => ({ name, ...apiReport(folder, entry, join(root, 'node_modules', '@types')) }))
    const sections = reports.map(({ name, text }) => `\n## ${name}\n\n\`\`\`ts\n${text}\`\`\`\n`)
    return { files: { ...guide(), 'sdk/API.md': intro + sections.join('') }, undocumented: reports.flatMap(({ undocumented }) => undocumented) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The pages of the guide, with the tables in them. */
function guide (): Record<string, string> {
  const pages = ['sdk/README.md', ...readdirSync(join(root, 'sdk', 'docs')).map((name) => `sdk/docs/${name}`)]
  return Object.fromEntries(pages.map((path) => [path, filled(readFileSync(join(root, path), 'utf8'))]))
}

function main (check: boolean): number {
  const { files, undocumented } = generated()
  let wrong = undocumented.length
  for (const name of undocumented) process.stderr.write(`${name} is public and has no docstring\n`)
  for (const [file, content] of Object.entries(files)) {
    if (textOf(file) === content) continue
    wrong += check ? 1 : 0
    if (check) process.stderr.write(`${file} is not what the SDK is: run node dist/sdk/publish/generate.js\n`)
    else writeFileSync(join(root, file), content)
  }
  return wrong > 0 ? 1 : 0
}

function textOf (file: string): string | undefined {
  try {
    return readFileSync(join(root, file), 'utf8')
  } catch {
    return undefined
  }
}

if (process.argv[1] !== undefined && fileURLToPath(import.meta.url) === process.argv[1]) {
  process.exitCode = main(process.argv.includes('--check'))
}
