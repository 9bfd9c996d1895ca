import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process'
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
 * Its standard input and output are the way to it. Throws when the system has no process or no descriptors to give.
 */
export function startRunner ({ memoryBytes, timeZone }: RunnerSurroundings): ChildProcessWithoutNullStreams {
  const heapMiB = Math.ceil(memoryBytes / 1024 / 1024)
  const node = [
    process.execPath, '--no-warnings', ...permissions(),
    '--experimental-vm-modules', '--frozen-intrinsics', '--disallow-code-generation-from-strings', '--no-addons',
    `--max-old-space-size=${heapMiB}`, '--max-semi-space-size=4',
    join(here, 'runner', 'main.js'),
  ]
  const [program, ...args] = process.platform === 'win32' ? node : withinLimits(node, heapMiB)
  const child = spawn(program!, args, { cwd: '/', env: timeZone === undefined ? {} : { TZ: timeZone }, stdio: ['pipe', 'pipe', 'pipe'] })
  // Out of descriptors Node gives a process without streams, whatever its types say, and tells why later.
  if ((child.stdin as typeof child.stdin | undefined) !== undefined) return child
  child.on('error', () => {})
  throw new Error('no descriptors are left for the way to it')
}

/** Its own files, to be loaded. The flag lost its prefix in Node 22.13. */
function permissions (): string[] {
  const flag = process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission'
  return [flag, `--allow-fs-read=${join(here, '*')}`]
}

/** Beside what the engine has when it starts: stacks of threads that come later, code, buffers. */
const roomKiB = 80 * 1024
const usualEngineKiB = 80 * 1024
let engineKiB: number | undefined

/**
 * What the engine itself has of writable memory, most of it never touched. Versions differ by half a gigabyte, which they put aside for code:
 * asked of one, once.
 */
function engine (): number {
  if (process.platform !== 'linux') return usualEngineKiB
  const { stdout } = spawnSync(process.execPath, ['-p', 'require("fs").readFileSync("/proc/self/status", "latin1")'], { encoding: 'latin1', env: {} })
  return engineKiB ??= Number(/VmData:\s+(\d+)/.exec(stdout)?.[1] ?? usualEngineKiB)
}

/**
 * Memory outside of the heap is no business of the engine's: the kernel refuses what goes beyond (RLIMIT_DATA, Linux 4.7 and newer; others
 * do not know it). No core files: they would hold what passed the script.
 */
function withinLimits (node: readonly string[], heapMiB: number): string[] {
  const dataKiB = (engineKiB ?? engine()) + roomKiB + 2 * heapMiB * 1024
  return ['/bin/sh', '-c', 'ulimit -c 0; ulimit -d "$0" 2>/dev/null; exec "$@"', String(dataKiB), ...endsWithUs(), ...node]
}

let known: readonly string[] | undefined

/** What stands before a command: a process in an endless loop hears nothing of the end of this one. Where util-linux is there, the kernel ends it. */
export function endsWithUs (): readonly string[] {
  return known ??= ['/usr/bin/setpriv', '/bin/setpriv'].filter((path) => existsSync(path))
    .map((path) => [path, '--pdeathsig', 'KILL', '--no-new-privs'])
    .find(([path = '', ...args]) => spawnSync(path, [...args, '/bin/sh', '-c', ':'], { stdio: 'ignore', env: {} }).status === 0) ?? []
}
