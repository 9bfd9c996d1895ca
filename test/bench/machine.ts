import { readFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { fromRoot } from '../support/paths.ts'
import { contenders } from './contenders/contenders.ts'
import { version } from './processes.ts'

export function machine (): string {
  const kernel = readFileSync('/proc/sys/kernel/osrelease', 'utf8').split('.').slice(0, 2).join('.')
  return `${cpus()[0]?.model.trim() ?? 'unknown CPU'}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${kernel}`
}

export function programs (): string {
  const manifest: { devDependencies: Record<string, string> } = JSON.parse(readFileSync(fromRoot('package.json'), 'utf8'))
  return [
    `Node.js ${process.versions.node}`,
    ...contenders.flatMap((contender) => contender.missing === undefined && contender.version !== '' ? [contender.version] : []),
    `undici ${manifest.devDependencies['undici']}`,
    `load by wrk ${version('wrk', '-v')}, h2load ${version('h2load', '--version')} and own clients`,
  ].join(', ')
}
