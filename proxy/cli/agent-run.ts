import type { Command } from './command.ts'

export const agentRun: Command = {
  name: 'agent run',
  doc: 'Run the agent that a TypeScript or JavaScript file exports as its default, alone. A proxy starts it by the command that sentinel agent install prints.',
  arguments: '[FILE]',
  options: {
    socket: { type: 'string', value: 'PATH', doc: 'Serve on this Unix socket.' },
    listen: { type: 'string', value: 'HOST:PORT', doc: 'Serve on this TCP address of this machine.' },
    'log-level': { type: 'string', value: 'debug|info|warn|error|silent', doc: 'What is logged; info without it.' },
  },
  async run (shell, options, [given, ...more]) {
    const { findAgent } = await import('./agent/find-agent.ts')
    const { runNode } = await import('./agent/run-node.ts')
    const { packageFile } = await import('../lifecycle/package-file.ts')
    const agent = more.length > 0 ? 'at most one FILE is needed.' : findAgent(shell.cwd, given)
    if (typeof agent === 'string') {
      shell.err(`sentinel agent run: ${agent}\nTry: sentinel agent run --help\n`)
      return 2
    }
    const flags = ['socket', 'listen', 'log-level'].flatMap((name) => typeof options[name] === 'string' ? [`--${name}`, options[name]] : [])
    return runNode([packageFile('dist', 'sdk', 'run', 'main.js'), agent.file, ...flags], { cwd: shell.cwd, env: shell.env })
  },
}
