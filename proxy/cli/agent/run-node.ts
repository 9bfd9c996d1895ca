import { spawn } from 'node:child_process'

interface Surroundings {
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
}

/** Runs Node to its end in this terminal. Signals that reach this process reach it. Resolves with the exit code. */
export function runNode (args: readonly string[], { cwd, env }: Surroundings): Promise<number> {
  const child = spawn(process.execPath, args, { cwd, env: { ...env }, stdio: 'inherit' })
  // Ctrl-C reaches both from the terminal; the child decides what it means.
  const pass = (signal: NodeJS.Signals): void => { child.kill(signal) }
  const hold = (): void => {}
  process.on('SIGTERM', pass)
  process.on('SIGINT', hold)
  return new Promise((resolve) => {
    const done = (code: number): void => {
      process.off('SIGTERM', pass)
      process.off('SIGINT', hold)
      resolve(code)
    }
    child.once('error', () => done(2))
    child.once('exit', (code) => done(code ?? 1))
  })
}
