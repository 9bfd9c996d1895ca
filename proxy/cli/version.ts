import { jsonText } from '../observe/quote.ts'
import type { Command } from './command.ts'
import { readVersion } from '../lifecycle/version.ts'

export const version: Command = {
  name: 'version',
  doc: 'Print the version of Sentinel and of Node.',
  options: { json: { type: 'boolean', doc: 'As JSON.' } },
  async run (shell, options) {
    const facts = { sentinel: readVersion(), node: process.versions.node }
    shell.out(options['json'] === true ? `${jsonText(facts)}\n` : `sentinel ${facts.sentinel} (node ${facts.node})\n`)
    return 0
  },
}
