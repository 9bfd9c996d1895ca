import { resolve } from 'node:path'
import type { Command } from './command.ts'

export const agentNew: Command = {
  name: 'agent new',
  doc: 'Make a folder with an agent that works, its tests and what it needs. NAME becomes the name of both, or is the path of a folder that does not exist yet.',
  arguments: 'NAME',
  options: { js: { type: 'boolean', doc: 'In JavaScript. Without it in TypeScript, which runs as it is.' } },
  async run (shell, options, [given, ...more]) {
    const { basename, relative } = await import('node:path')
    if (given === undefined || given === '' || more.length > 0) {
      shell.err('sentinel agent new: exactly one NAME is needed, for instance geo-header.\nTry: sentinel agent new --help\n')
      return 2
    }
    const folder = resolve(shell.cwd, given)
    const name = basename(folder)
    const wrong = wrongName(name)
    if (wrong !== undefined) {
      shell.err(`sentinel agent new: ${wrong}\n`)
      return 2
    }
    const { templateFiles } = await import('./agent/template.ts')
    const { makeFolder } = await import('./agent/make-folder.ts')
    const files = templateFiles({ name, js: options['js'] === true })
    const failed = makeFolder(folder, files)
    if (failed !== undefined) {
      shell.err(`sentinel agent new: ${failed}\n`)
      return 2
    }
    const shown = relative(shell.cwd, folder)
    shell.out(nextSteps(shown.startsWith('..') ? folder : shown, name, [...files.keys()]))
    return 0
  },
}

const longest = 64

/** Why it cannot be the name of an agent; the rule is that of `defineAgent`, in lower case as package.json has it. */
export function wrongName (name: string): string | undefined {
  if (/^[a-z][a-z0-9-]*$/.test(name) && name.length <= longest) {
    return name === 'node-modules' || name === 'sentinel' ? `the name "${name}" is taken; choose another one.` : undefined
  }
  const close = name.trim().normalize('NFKD').toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^[0-9-]+|-+$/g, '').slice(0, longest)
  const hint = close === '' || wrongName(close) !== undefined ? 'for instance geo-header' : `for instance ${close}`
  return `${JSON.stringify(name)} cannot be the name of an agent: small letters, digits and "-", a letter first, at most ${longest} of them; ${hint}.`
}

function nextSteps (folder: string, name: string, files: readonly string[]): string {
  return `${folder}/ is there: ${files.join(', ')}.

  cd ${/^[\w./-]+$/.test(folder) ? folder : `'${folder.replaceAll("'", "'\\''")}'`}
  sentinel agent dev      the agent behind a proxy of its own: edit, save, ask again
  sentinel agent test     its tests
  sentinel agent install  what to write into sentinel.kdl

With npm: npm install, then npm run dev, npm test.${name === folder ? '' : `\nThe agent is called ${name}.`}
`
}
