import { openEvidence } from '../../proxy/evidence/evidence.ts'
import { decided, decisionOf } from './decision.ts'

/**
 * A process that writes evidence: `node evidence-writer.js FILE [COUNT]`. Without a count it writes for ever, a few records each turn.
 * Tells on stdout, one JSON line each, what is logged, and `{ "written": n }` after each turn.
 */
async function main (file: string, count: number): Promise<void> {
  const say = (fact: object): boolean => process.stdout.write(`${JSON.stringify(fact)}\n`)
  const log = {
    info: (said: string) => void say({ level: 'info', said }),
    warn: (said: string) => void say({ level: 'warn', said }),
    error: (said: string, facts?: object) => void say({ level: 'error', said, ...facts, error: undefined }),
  }
  const evidence = await openEvidence({ file, log })
  for (let i = 0; i < count; i += 3) {
    for (let n = 0; n < 3; n++) evidence.record(decided(`/r/${i + n}`, decisionOf()))
    await new Promise((resolve) => setImmediate(resolve))
    say({ written: evidence.stats().records, failing: evidence.stats().failing })
    // A file that cannot be written is given time.
    if (evidence.stats().failing) await new Promise((resolve) => setTimeout(resolve, 20))
  }
  await evidence.close()
}

await main(process.argv[2] ?? '', Number(process.argv[3] ?? Infinity))
