import { createInterface } from 'node:readline'
import type { Driven, Target } from './driven.ts'

/** The other side of `clientLoad`: connects whom it needs, then runs for as many seconds as each line of input says. */
export async function conduct<Options> (prepare: (options: Options & Target) => Promise<(seconds: number) => Promise<Driven>>): Promise<void> {
  const options: Options & Target = JSON.parse(process.argv[2] ?? '{}')
  const run = await prepare(options)
  process.stdout.write('ready\n')
  for await (const line of createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await run(Number(line)))}\n`)
  }
  process.exit()
}
