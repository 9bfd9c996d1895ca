import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fromDist } from '../../support/paths.ts'
import { pin } from '../processes.ts'
import type { Driven, Load } from './driven.ts'

const readyWithinMs = 60_000

/**
 * A load that is a program of this folder: it says "ready", runs as many seconds as it is told to, prints what it saw, and ends when its
 * input does. `conduct` is its side.
 */
export function clientLoad (program: string, options: Readonly<Record<string, number | boolean>>): Load {
  return async (target) => {
    const [command, ...args] = [...pin('other'), process.execPath, fromDist('test', 'bench', 'load', `${program}.js`), JSON.stringify({ ...options, ...target })]
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    let complaint = ''
    child.stderr.on('data', (text) => { complaint = `${complaint}${text}`.slice(-2000) })
    child.stdin.on('error', () => {})
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const line = async (withinMs: number): Promise<string> => {
      const timer = setTimeout(() => child.kill(), withinMs)
      const next = await lines.next()
      clearTimeout(timer)
      if (next.done === true) throw new Error(`the load ${program} ended: ${complaint.trim() || 'it took too long'}`)
      return next.value
    }
    const end = async (): Promise<void> => {
      child.stdin.end()
      const timer = setTimeout(() => child.kill('SIGKILL'), 5_000)
      await ended
      clearTimeout(timer)
    }
    try {
      await line(readyWithinMs)
    } catch (error) {
      await end()
      throw error
    }
    return {
      end,
      run: async (seconds): Promise<Driven> => {
        child.stdin.write(`${seconds}\n`)
        return JSON.parse(await line(seconds * 1000 + readyWithinMs))
      },
    }
  }
}
