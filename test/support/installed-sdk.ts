import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after } from 'node:test'
import { assemble } from '../../sdk/publish/assemble.ts'
import { fromRoot, root } from './paths.ts'

/** A folder of somebody who has installed the package of the SDK. */
export interface InstalledSdk {
  /** The folder; its `node_modules` holds the package, what its manifest names, and nothing else. */
  readonly home: string
  /** The package in it. */
  readonly installed: string
  readonly tarball: string
  /** Makes another package of the checkout available, as an author installs it. */
  link (name: string): void
  /** Writes a file into the folder; gives its path. */
  write (name: string, text: string): string
}

/** Packs the SDK and installs the tarball. Everything is removed after the tests of this file. */
export function installSdk (): InstalledSdk {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-package-'))
  after(() => rmSync(folder, { recursive: true, force: true }))
  const home = join(folder, 'home')
  const installed = join(home, 'node_modules', '@sentinel-proxy', 'sdk')
  const made = join(folder, 'package')
  const { needs } = assemble(root, made)
  const said = execFileSync('npm', ['pack', '--json', '--pack-destination', folder], { cwd: made, encoding: 'utf8' })
  const [{ filename }] = JSON.parse(said) as [{ filename: string }]
  const tarball = join(folder, filename)
  mkdirSync(installed, { recursive: true })
  execFileSync('tar', ['-xzf', tarball, '--strip-components=1', '-C', installed])
  const link = (name: string): void => {
    const path = join(home, 'node_modules', name)
    mkdirSync(dirname(path), { recursive: true })
    symlinkSync(fromRoot('node_modules', name), path)
  }
  for (const name of needs) link(name)
  const write = (name: string, text: string): string => {
    const path = join(home, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
    return path
  }
  return { home, installed, tarball, link, write }
}
