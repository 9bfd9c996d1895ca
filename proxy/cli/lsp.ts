import { Console } from 'node:console'
import { readVersion } from '../lifecycle/version.ts'
import type { Command } from './command.ts'

export const lsp: Command = {
  name: 'lsp',
  doc: 'Serve an editor: problems, completion, meanings and names of configurations, over standard input and output.',
  options: { stdio: { type: 'boolean', doc: 'Taken for granted; some editors say it.' } },
  async run () {
    // Standard output belongs to the protocol: whatever a module has to say goes elsewhere.
    globalThis.console = new Console(process.stderr, process.stderr)
    const { startLanguageServer } = await import('../../config/language-server/server.ts')
    startLanguageServer({ input: process.stdin, output: process.stdout, version: readVersion() })
    // The server ends the process, as the protocol wants it.
    return new Promise(() => {})
  },
}
