import { dirname, relative, resolve } from 'node:path'
import type { AgentConfig, SentinelConfig } from '../../config/sentinel/index.ts'
import { jsonText } from '../observe/quote.ts'
import type { Command } from './command.ts'
import { loadOrSay } from './load-or-say.ts'

export const diff: Command = {
  name: 'diff',
  doc: 'Compare what two configurations mean, and tell what a reload from OLD to NEW would do. Exit code 0: nothing; 3: something; 1: one of them has errors.',
  arguments: 'OLD NEW',
  options: {
    'text-only': { type: 'boolean', doc: 'Judge the texts alone: no files that they name, and an unset ${NAME} is no error.' },
    json: { type: 'boolean', doc: 'As JSON.' },
  },
  async run (shell, options, [oldName, newName, ...more]) {
    if (oldName === undefined || newName === undefined || more.length > 0) {
      shell.err('sentinel diff: exactly two files are needed, OLD and NEW.\nTry: sentinel diff --help\n')
      return 2
    }
    const json = options['json'] === true
    const textOnly = options['text-only'] === true
    const files = { old: resolve(shell.cwd, oldName), new: resolve(shell.cwd, newName) }
    const old = await loadOrSay(files.old, shell, { textOnly, json })
    const next = await loadOrSay(files.new, shell, { textOnly, json })
    if (old === undefined || next === undefined) return 1
    const { effectiveConfig } = await import('../../config/sentinel/index.ts')
    const { compareEffective } = await import('../../config/schema/index.ts')
    const { agentEffects, needsRestart } = await import('../lifecycle/needs-restart.ts')
    const { canonicalKey } = await import('../lifecycle/leases.ts')
    const config = inPlaceOf(next.config, dirname(files.new), dirname(files.old))
    // NEW is judged as if it lay where OLD lies: that is where a reload would find it.
    const folderOf = (file: string): string => resolve(dirname(files.old), relative(dirname(files.new), dirname(resolve(file))))
    const same = canonicalKey('config', old.config) === canonicalKey('config', config)
    const changes = compareEffective(effectiveConfig(old), effectiveConfig(next, folderOf)).filter(({ open }) => open !== true || !same)
    const restart = needsRestart(old.config, config)
    const agents = agentEffects(old.config, config)
    if (json) {
      shell.out(`${jsonText({ old: files.old, new: files.new, same: changes.length === 0, changes, restart, agents })}\n`)
    } else {
      const { printDiff } = await import('./print-diff.ts')
      shell.out(printDiff({ files, names: { old: oldName, new: newName }, changes, restart, agents }, shell.colour))
    }
    return changes.length === 0 ? 0 : 3
  },
}

/** The configuration with the sockets that it would have in another folder. */
function inPlaceOf (config: SentinelConfig, from: string, to: string): SentinelConfig {
  if (from === to) return config
  const moved = (agent: AgentConfig): AgentConfig => {
    const { transport } = agent
    if (transport.kind !== 'unix' || transport.path?.startsWith(`${from}/`) !== true) return agent
    return { ...agent, transport: { ...transport, path: to + transport.path.slice(from.length) } }
  }
  return { ...config, agents: config.agents.map(moved) }
}
