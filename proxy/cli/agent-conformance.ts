import type { Checked } from '../decisions/conformance/check.ts'
import { jsonText } from '../observe/quote.ts'
import { agentTargetOf, targetOptions, whyNobody } from './agent-target.ts'
import { valuesOf, type Command } from './command.ts'

export const agentConformance: Command = {
  name: 'agent conformance',
  doc: 'Check an agent in any language against the protocol. It is configured and asked made-up things, so it should serve nobody else meanwhile. Exit code 0: nothing failed; 1: something did; 2: nobody could be checked.',
  arguments: 'AGENT',
  options: {
    config: { type: 'string', value: 'JSON', doc: 'A configuration that it takes; @FILE for what is in a file. Without it {}.' },
    only: { type: 'string', multiple: true, value: 'CHECK', doc: 'Only this check.' },
    list: { type: 'boolean', doc: 'Print the checks and what each asks for, without an agent.' },
    'stop-pid': { type: 'string', value: 'PID', doc: 'Its process: it is told to stop (SIGTERM) at the end, to see how it does that.' },
    ...targetOptions,
    json: { type: 'boolean', doc: 'As JSON.' },
  },
  async run (shell, options, [where, ...more]) {
    const { checks, checkConformance } = await import('../decisions/conformance/run.ts')
    const { checkedText, listText, summaryText } = await import('./print-conformance.ts')
    const json = options['json'] === true
    const refuse = (why: string): number => {
      shell.err(`sentinel agent conformance: ${why}.\n`)
      return 2
    }
    if (options['list'] === true) {
      shell.out(json ? `${jsonText(checks.map(({ id, rule }) => ({ id, rule })))}\n` : listText(checks))
      return 0
    }
    if (where === undefined || more.length > 0) {
      shell.err('sentinel agent conformance: exactly one AGENT is needed: unix:/path/of/its.sock or host:port.\nTry: sentinel agent conformance --help\n')
      return 2
    }
    const found = await agentTargetOf(shell, where, options)
    if (typeof found === 'string') return refuse(found)
    const only = new Set(valuesOf(options, 'only'))
    const unknown = [...only].find((id) => !checks.some((check) => check.id === id))
    if (unknown !== undefined) return refuse(`there is no check '${unknown}'; --list shows them`)
    const pid = options['stop-pid']
    if (pid !== undefined && !(Number(pid) > 1 && Number.isSafeInteger(Number(pid)))) return refuse(`'${String(pid)}' is no process`)
    const { Fault } = await import('../pipeline/faults.ts')
    const { contentOf } = await import('./content.ts')
    try {
      const all: Checked[] = await checkConformance({
        ...found, only,
        config: (await contentOf(shell, options['config']))?.toString() ?? '{}',
        pid: pid === undefined ? undefined : Number(pid),
        onChecked: (checked) => { if (!json) shell.out(checkedText(checked, shell.colour)) },
      })
      const failed = all.some(({ outcome }) => outcome === 'failed')
      shell.out(json ? `${jsonText({ agent: where, ok: !failed, checks: all.map((checked) => ({ ...checked, ms: Math.round(checked.ms * 1000) / 1000 })) })}\n` : summaryText(all, shell.colour))
      return failed ? 1 : 0
    } catch (error) {
      const { code, detail } = Fault.from(error)
      return refuse(`${where}: ${whyNobody(detail ?? code)}`)
    }
  },
}
