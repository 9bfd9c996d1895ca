import { dirname } from 'node:path'
import { jsonText } from '../observe/quote.ts'
import type { Command } from './command.ts'
import { configFile, configOption } from './config-file.ts'
import { loadOrSay } from './load-or-say.ts'
import { placeShower } from './places.ts'

export const configDump: Command = {
  name: 'config dump',
  doc: 'Print the effective configuration: every setting in effect, and where it comes from. What is printed is a configuration that means the same.',
  options: {
    config: configOption,
    'only-given': { type: 'boolean', doc: 'Leave out defaults.' },
    json: { type: 'boolean', doc: 'As JSON: path, value and place of each setting.' },
  },
  async run (shell, options) {
    const file = configFile('config dump', shell, options)
    if (file === undefined) return 1
    const loaded = await loadOrSay(file, shell, { json: options['json'] === true })
    if (loaded === undefined) return 1
    const { effectiveConfig } = await import('../../config/sentinel/index.ts')
    const { effectiveEntries, printEffective } = await import('../../config/schema/index.ts')
    const tree = effectiveConfig(loaded)
    const onlyGiven = options['only-given'] === true
    if (options['json'] === true) {
      const settings = effectiveEntries(tree, { onlyGiven }).map(({ at, ...entry }) =>
        ({ ...entry, from: at === undefined ? 'default' : { file: at.file, line: at.line, column: at.column } }))
      shell.out(`${jsonText({ file, settings })}\n`)
      return 0
    }
    const withheld = effectiveEntries(tree).some(({ hidden }) => hidden === 'withheld')
    shell.out(`// What ${JSON.stringify(file)} means.\n${withheld ? '// Secrets that stand in the file itself are withheld: put them back before you use this.\n' : ''}` +
      printEffective(tree, { onlyGiven, place: placeShower(dirname(file)) }))
    return 0
  },
}

export const configReference: Command = {
  name: 'config reference',
  doc: 'Print the reference of the configuration language: all of it, or one block or setting ("routes.route.matches", or only "matches").',
  arguments: '[BLOCK]',
  options: { json: { type: 'boolean', doc: 'As JSON.' } },
  async run (shell, options, [wanted, ...more]) {
    if (more.length > 0) {
      shell.err('sentinel config reference: at most one BLOCK is needed; put dots between the names.\nTry: sentinel config reference --help\n')
      return 2
    }
    const { table } = await import('../../config/sentinel/index.ts')
    const { everyRow, findRow, rowJson, rowMarkdown } = await import('../../config/schema/index.ts')
    if (wanted === undefined) {
      const { referencePage } = await import('../../config/generate.ts')
      shell.out(options['json'] === true ? `${jsonText([...everyRow(table)].filter(({ path }) => path.length === 1).map(rowJson))}\n` : referencePage())
      return 0
    }
    const result = findRow(table, wanted)
    if (result.found === undefined) {
      shell.err(`sentinel config reference: there is no ${JSON.stringify(wanted)}.${result.hint === undefined ? '' : ` ${capital(result.hint)}`}\nTry: sentinel config reference\n`)
      return 2
    }
    const { key, field, path } = result.found
    shell.out(options['json'] === true ? `${jsonText(rowJson(result.found))}\n` : rowMarkdown(table, path, key, field))
    return 0
  },
}

export const configSchema: Command = {
  name: 'config schema',
  doc: 'Print the JSON schema of the configuration language, in the JSON form of KDL.',
  options: { json: { type: 'boolean', doc: 'As JSON: it always is.' } },
  async run (shell) {
    const { schemaText } = await import('../../config/generate.ts')
    shell.out(schemaText())
    return 0
  },
}

function capital (text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1)
}
