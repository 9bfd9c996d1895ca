#!/usr/bin/env node
import { realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { runCommand } from './cli/commands.ts'
import { wantsColour } from './cli/paint.ts'

/** Runs one command line (without `node` and the script). Resolves with the exit code: 0 ok, 1 configuration, 2 run time, 3 would change. */
export function main (argv: readonly string[]): Promise<number> {
  return runCommand(argv, {
    env: process.env,
    cwd: process.cwd(),
    out: (text) => { process.stdout.write(text) },
    err: (text) => { process.stderr.write(text) },
    colour: wantsColour(process.env, [process.stdout, process.stderr]),
  })
}

/** Whoever reads has seen enough (`sentinel routes | head`). The proxy goes on all the same: its log may come back, its clients are still there. */
function endWithReader (command: string | undefined): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (command === 'run') return
      if (error.code === 'EPIPE') process.exit()
      // Nobody reads it there when that is what is full.
      if (stream === process.stdout) process.stderr.write(`sentinel: what was to be said cannot be written: ${error.message}\n`)
      process.exit(2)
    })
  }
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  endWithReader(process.argv[2])
  process.exitCode = await main(process.argv.slice(2))
}
