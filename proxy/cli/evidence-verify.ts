import { resolve } from 'node:path'
import { jsonText } from '../observe/quote.ts'
import type { Command } from './command.ts'

export const evidenceVerify: Command = {
  name: 'evidence verify',
  doc: 'Check the hash chain of an evidence file: changed, removed, inserted and reordered records are found.',
  arguments: 'FILE',
  options: {
    'expect-head': { type: 'string', value: 'HASH', doc: 'Hash of the newest record, noted earlier: finds a tail that was cut off.' },
    json: { type: 'boolean', doc: 'As JSON.' },
  },
  async run (shell, options, args) {
    const [file, ...more] = args
    if (file === undefined || more.length > 0) {
      shell.err('sentinel evidence verify: exactly one FILE is needed.\nTry: sentinel evidence verify --help\n')
      return 2
    }
    const path = resolve(shell.cwd, file)
    const head = options['expect-head']
    const { isHash } = await import('../evidence/chain.ts')
    if (typeof head === 'string' && !isHash(head.toLowerCase())) {
      shell.err(`sentinel evidence verify: '${head}' is not the hash of a record: 64 hexadecimal digits.\n`)
      return 2
    }
    const { printVerification } = await import('../evidence/print.ts')
    const { verifyEvidence } = await import('../evidence/verify.ts')
    try {
      const found = await verifyEvidence(path, typeof head === 'string' ? { expectHead: head } : {})
      shell.out(options['json'] === true ? `${jsonText(found)}\n` : printVerification(path, found))
      return found.problemCount === 0 ? 0 : 1
    } catch (error) {
      shell.err(`sentinel evidence verify: ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}\n`)
      return 2
    }
  },
}
