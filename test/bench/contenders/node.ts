import { join } from 'node:path'
import { fromDist } from '../../support/paths.ts'
import { startOnPort } from '../processes.ts'
import type { Contender, Setup } from './contender.ts'

/** Proxies of one file, to see what the platform costs. */
export const undici: Contender = {
  id: 'undici',
  title: '`node:http` + undici',
  missing: undefined,
  version: '',
  compiles: true,
  unable: oneProcess,
  start: (folder, { upstreamPort, certificate }, flags) => startOnPort({ measured: 1 }, folder, (port) => [
    process.execPath, ...flags, fromDist('test', 'bench', 'measured', 'undici-proxy.js'),
    String(port), String(upstreamPort), join(folder, 'access.log'), ...certificate === undefined ? [] : [certificate.cert, certificate.key],
  ]),
}

export const byteCopy: Contender = {
  id: 'byte-copy',
  title: 'bytes copied by Node without looking (the floor)',
  missing: undefined,
  version: '',
  compiles: true,
  unable: (setup) => setup.certificate === undefined ? oneProcess(setup) : 'it copies bytes and does not know TLS',
  start: (folder, { upstreamPort }, flags) => startOnPort({ measured: 1 }, folder, (port) => [
    process.execPath, ...flags, fromDist('test', 'bench', 'measured', 'byte-copy.js'), String(port), String(upstreamPort),
  ]),
}

/** No proxy at all: what load and upstream contribute to a latency. */
export const direct: Contender = {
  id: 'direct',
  title: 'no proxy: load and upstream alone',
  missing: undefined,
  version: '',
  compiles: false,
  start: async (_folder, { upstreamPort }) => ({ port: upstreamPort, pid: -1, output: () => '', stop: async () => {} }),
}

function oneProcess ({ workers }: Setup): string | undefined {
  return workers === 1 ? undefined : 'it is one process'
}
