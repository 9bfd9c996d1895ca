import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface RunnerSurroundings {
  readonly memoryBytes: number
  /** The one variable that it gets: dates are shown in it. */
  readonly timeZone: string | undefined
}

const here = dirname(fileURLToPath(import.meta.url))

/**
 * Starts a process that runs a script: without environment, files, programs and threads, and with a limit of memory that the kernel holds.
 * Its standard input and output are the way to it.
 */
export function startRunner ({ memoryBytes, timeZone }: RunnerSurroundings): ChildProcess {
  const heapMiB = Math.ceil(memoryBytes / 1024 / 1024)
  const node = [
    process.execPath, '--no-warnings', ...permissions(),
    '--experimental-vm-modules', '--frozen-intrinsics', '--disallow-code-generation-from-strings', '--no-addons', '--no-expose-wasm',
    `--max-old-space-size=${heapMiB}`, '--max-semi-space-size=4',
    join(here, 'runner', 'main.js'),
  ]
  const [program, ...args] = process.platform === 'win32' ? node : withinLimits(node, heapMiB)
  return spawn(program!, args, { cwd: '/', env: timeZone === undefined ? {} : { TZ: timeZone }, stdio: ['pipe', 'pipe', 'pipe'] })
}

/** Its own files, to be loaded. The flag lost its prefix in Node 22.13. */
function permissions (): string[] {
  const flag = process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission'
  return [flag, `--allow-fs-read=${join(here, '*')}`]
}

/** What the engine itself has of writable memory, most of it never touched: stacks of its threads, code, buffers. */
const engineMiB = 160

/**
 * Memory outside of the heap is no business of the engine's: the kernel refuses what goes beyond (RLIMIT_DATA, Linux 4.7 and newer; others
 * do not know it). No core files: they would hold what passed the script.
 */
function withinLimits (node: readonly string[], heapMiB: number): string[] {
  const dataKiB = (engineMiB + 2 * heapMiB) * 1024
  return ['/bin/sh', '-c', 'ulimit -c 0; ulimit -d "$0" 2>/dev/null; exec "$@"', String(dataKiB), ...endsWithUs(), ...node]
}

let known: readonly string[] | undefined

/** A runner in an endless loop hears nothing of the end of this process: where util-linux is there, the kernel ends it. */
function endsWithUs (): readonly string[] {
  return known ??= ['/usr/bin/setpriv', '/bin/setpriv'].filter((path) => existsSync(path))
    .map((path) => [path, '--pdeathsig', 'KILL', '--no-new-privs'])
    .find(([path = '', ...args]) => spawnSync(path, [...args, '/bin/sh', '-c', ':'], { stdio: 'ignore', env: {} }).status === 0) ?? []
}
