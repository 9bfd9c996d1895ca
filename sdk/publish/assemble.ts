import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'

/** What `sdk/package.json` says of itself. */
interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly types: string, readonly default: string }>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
}

/** A package as it lies in a folder, ready for `npm pack`. */
export interface Assembled {
  /** Relative to the folder, with slashes, in order. */
  readonly files: readonly string[]
  /** Packages that the code cannot start without. */
  readonly needs: readonly string[]
}

/** Modules that are loaded by their address, where nobody can see an import: threads. Without an ending. */
const loadedByAddress = ['sdk/workers/thread']

/** An import, a re-export or a type import: up to the text in quotes, and that text. */
const imports = /(\b(?:from|import)\s*\(?\s*)(['"])([^'"\n]+)\2/g

/**
 * Puts the package together in `folder`, from what was built in `dist`: exactly the modules that can be reached from its entry points, with their types.
 * Throws when the manifest names other packages than the code imports, or other versions than the ones the code is tested with.
 */
export function assemble (root: string, folder: string): Assembled {
  const manifest = readJson<Manifest>(join(root, 'sdk', 'package.json'))
  const dist = join(root, 'dist')
  const entries = Object.values(manifest.exports).flatMap((entry) => typeof entry === 'string' ? [] : [entry.default, entry.types])
  const byAddress = loadedByAddress.map((module) => `${module}.js`)
  const code = reached(dist, [...entries, ...byAddress].map((path) => posix.normalize(path)))
  checkPackages(manifest, code.packages, readJson<Manifest>(join(root, 'package.json')).dependencies)
  for (const [path, text] of code.modules) write(join(folder, path), text)
  write(join(folder, 'package.json'), readFileSync(join(root, 'sdk', 'package.json'), 'utf8'))
  const pages = ['README.md', 'API.md', 'docs'].filter((name) => existsSync(join(root, 'sdk', name)))
  for (const name of pages) cpSync(join(root, 'sdk', name), join(folder, name), { recursive: true })
  // What is outside of the package cannot be followed from inside.
  const guide = readFileSync(join(root, 'sdk', 'README.md'), 'utf8')
  write(join(folder, 'README.md'), guide.replaceAll(/\[([^\]]+)\]\(\.\.\/[^)]*\)/g, '$1'))
  cpSync(join(root, 'LICENSE'), join(folder, 'LICENSE'))
  return { files: [...code.modules.keys(), 'package.json', 'LICENSE', ...pages].sort(), needs: Object.keys(manifest.dependencies) }
}

interface Code {
  /** Path relative to `dist` → text. */
  readonly modules: Map<string, string>
  /** Packages that are imported, not counting types. */
  readonly packages: Set<string>
}

function reached (dist: string, entries: readonly string[]): Code {
  const modules = new Map<string, string>()
  const packages = new Set<string>()
  const waiting = [...entries]
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (modules.has(path)) continue
    const isTypes = path.endsWith('.d.ts')
    const from = path
    const text = readFileSync(join(dist, path), 'utf8').replace(/^\/\/# sourceMappingURL=.*\n?/m, '')
    // The compiler leaves the endings of types as they were written, and not every reader of types knows what that means.
    modules.set(path, text.replace(imports, (whole, before: string, quote: string, specifier: string) => {
      if (!specifier.startsWith('.')) {
        if (!isTypes && !specifier.startsWith('node:')) packages.add(packageName(specifier))
        return whole
      }
      const target = posix.join(posix.dirname(from), specifier).replace(/\.[jt]s$/, '')
      waiting.push(target + (isTypes ? '.d.ts' : '.js'))
      return `${before}${quote}${specifier.replace(/\.ts$/, '.js')}${quote}`
    }))
  }
  return { modules, packages }
}

function checkPackages (manifest: Manifest, imported: ReadonlySet<string>, tested: Readonly<Record<string, string>>): void {
  const wrong: string[] = []
  const known = { ...manifest.dependencies, ...manifest.peerDependencies }
  for (const name of imported) if (!(name in known)) wrong.push(`the code imports ${name}, which sdk/package.json does not name`)
  for (const name of Object.keys(manifest.dependencies)) if (!imported.has(name)) wrong.push(`sdk/package.json names ${name}, which nothing imports`)
  for (const [name, range] of Object.entries(known)) {
    if (range !== `^${tested[name]}`) wrong.push(`sdk/package.json asks for ${name} ${range}, and the tests run with ${tested[name]}`)
  }
  if (wrong.length > 0) throw new Error(wrong.join('\n'))
}

function packageName (specifier: string): string {
  return specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1).join('/')
}

function write (path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}

function readJson<T> (path: string): T {
  return JSON.parse(readFileSync(path, 'utf8')) as T
}
