import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'

/** What tells an agent's process from the proxy's. */
const agentProgram = 'allow-agent'
const ticksPerSecond = Number(spawnSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }).stdout) || 100

export interface Usage {
  /** CPU, user and system, of the process itself and of nginx-like workers: everything that serves. */
  readonly proxyUs: number
  readonly agentUs: number
  readonly residentBytes: number
  /** Pages that several processes share counted once, in parts. */
  readonly proportionalBytes: number
}

/** Adds up a process and all its descendants, agents apart. Zero for a process that is not there. */
export function usage (pid: number): Usage {
  const sum = { proxyUs: 0, agentUs: 0, residentBytes: 0, proportionalBytes: 0 }
  for (const one of [pid, ...descendants(pid)]) {
    const stat = fields(one)
    // utime and stime are fields 14 and 15 of proc(5), counted from the state, which is field 3.
    const cpuUs = (Number(stat[11] ?? 0) + Number(stat[12] ?? 0)) * 1e6 / ticksPerSecond
    if (proc(one, 'cmdline').includes(agentProgram)) {
      sum.agentUs += cpuUs
      continue
    }
    const memory = proc(one, 'smaps_rollup')
    sum.proxyUs += cpuUs
    sum.residentBytes += kilobytes(memory, 'Rss')
    sum.proportionalBytes += kilobytes(memory, 'Pss')
  }
  return sum
}

/** How busy a core has been since the machine started, with everything that ran on it. */
export interface CoreTime {
  readonly busyTicks: number
  /** Of programs, that is without interrupts: what their own CPU time adds up to. */
  readonly programTicks: number
  readonly allTicks: number
}

export function coreTime (core: number | undefined): CoreTime | undefined {
  const line = new RegExp(`^cpu${core} (.*)$`, 'm').exec(readFileSync('/proc/stat', 'utf8'))?.[1]
  if (line === undefined) return undefined
  // user nice system idle iowait irq softirq steal; guests are in user already.
  const ticks = line.split(' ').slice(0, 8).map(Number)
  const allTicks = ticks.reduce((sum, one) => sum + one, 0)
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0] = ticks
  return { allTicks, programTicks: user + nice + system, busyTicks: allTicks - idle - iowait }
}

/** From 0 to 1; undefined when it cannot be known. */
export function busyBetween (before: CoreTime | undefined, after: CoreTime | undefined): number | undefined {
  if (before === undefined || after === undefined || after.allTicks === before.allTicks) return undefined
  return (after.busyTicks - before.busyTicks) / (after.allTicks - before.allTicks)
}

/** The share of a core that went to other programs than those that used `ownUs`. */
export function foreignBetween (before: CoreTime | undefined, after: CoreTime | undefined, ownUs: number): number | undefined {
  if (before === undefined || after === undefined || after.allTicks === before.allTicks) return undefined
  const ownTicks = ownUs * ticksPerSecond / 1e6
  return Math.max(0, after.programTicks - before.programTicks - ownTicks) / (after.allTicks - before.allTicks)
}

/** How many files and sockets a process that is started here may have open. */
export function mostOpenFiles (): number {
  return Number(/^Max open files\s+\d+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? Infinity)
}

function descendants (pid: number): number[] {
  const parents = new Map<number, number>()
  for (const entry of readdirSync('/proc')) {
    if (/^\d+$/.test(entry) && existsSync(`/proc/${entry}/stat`)) parents.set(Number(entry), Number(fields(Number(entry))[1]))
  }
  const found = [pid]
  for (const parent of found) {
    for (const [child, of] of parents) if (of === parent) found.push(child)
  }
  return found.slice(1)
}

/** The fields after the name in parentheses: state, parent, … */
function fields (pid: number): string[] {
  const stat = proc(pid, 'stat')
  return stat === '' ? [] : stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

function proc (pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    // It ended meanwhile.
    return ''
  }
}

function kilobytes (text: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024
}
