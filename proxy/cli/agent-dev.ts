import type { DevSettings } from './agent/dev-session.ts'
import { valuesOf, type Command, type OptionValues, type Shell } from './command.ts'

const defaultPort = 8080
/** As Node has it. */
const defaultInspectPort = 9229

export const agentDev: Command = {
  name: 'agent dev',
  doc: 'Work on an agent: runs it behind a proxy of its own, in front of an application that answers with what it received, and shows every decision. What is saved counts for the next request.',
  arguments: '[FILE]',
  options: {
    port: { type: 'string', short: 'p', value: 'PORT', doc: `Where the proxy listens, on 127.0.0.1; ${defaultPort} when that is free, 0 for any.` },
    upstream: { type: 'string', short: 'u', value: 'URL', doc: 'An application to put behind it: http://HOST:PORT.' },
    config: { type: 'string', multiple: true, value: 'NAME=VALUE', doc: 'A setting of the agent. A list takes several; a.b=VALUE is b in the block a.' },
    'config-file': { type: 'string', value: 'FILE', doc: 'Settings of the agent in KDL, as they stand in its config block. It is watched, too.' },
    inspect: { type: 'string', value: 'PORT', implied: String(defaultInspectPort), doc: `Open the port of a debugger on 127.0.0.1: ${defaultInspectPort}, or the one given by "="; 0 for any. Requests wait for as long as it holds the agent.` },
  },
  async run (shell, options, args) {
    const settings = await readSettings(shell, options, args)
    if (typeof settings === 'string') {
      shell.err(`sentinel agent dev: ${settings}\nTry: sentinel agent dev --help\n`)
      return 2
    }
    const { DevSession } = await import('./agent/dev-session.ts')
    const { devScreen } = await import('./agent/print-dev.ts')
    const stopped = askedToStop()
    const session = new DevSession(settings, devScreen(shell.out, shell.colour))
    try {
      const how = await Promise.race([stopped, session.start().then(() => Promise.race([stopped, session.proxyEnded.then(() => 'proxy' as const)]))])
      if (how === 'proxy') shell.err('sentinel agent dev: the proxy ended; nothing is left to work with.\n')
      return how === 'proxy' ? 2 : 0
    } finally {
      await session.close()
    }
  },
}

function askedToStop (): Promise<'stop'> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve('stop'))
  })
}

/** A sentence when they cannot be used. */
async function readSettings (shell: Shell, options: OptionValues, [given, ...more]: readonly string[]): Promise<DevSettings | string> {
  if (more.length > 0) return 'at most one FILE is needed.'
  const { findAgent } = await import('./agent/find-agent.ts')
  const { targetOf } = await import('./agent/dev-config.ts')
  const agent = findAgent(shell.cwd, given)
  if (typeof agent === 'string') return agent
  const port = await portOf(options['port'], '--port')
  if (typeof port === 'string') return port
  const inspectPort = await portOf(options['inspect'], '--inspect')
  if (typeof inspectPort === 'string') return inspectPort
  const { upstream: url } = options
  const target = typeof url === 'string' ? targetOf(url) : undefined
  if (typeof target === 'string') return `${target}.`
  const settings = await settingsFrom(shell, options)
  if (typeof settings === 'string') return settings
  return {
    agent,
    port: port ?? (await whyNotFree(defaultPort) === undefined ? defaultPort : 0),
    upstream: target === undefined ? undefined : { url: String(url), target },
    ...settings,
    inspectPort,
    env: shell.env,
  }
}

async function settingsFrom (shell: Shell, options: OptionValues): Promise<Pick<DevSettings, 'settings' | 'settingsFile'> | string> {
  const { resolve } = await import('node:path')
  const { existsSync, readFileSync } = await import('node:fs')
  const { settingsOf } = await import('./agent/dev-config.ts')
  const single = settingsOf(valuesOf(options, 'config'))
  if (typeof single === 'string') return `${single}.`
  const { 'config-file': given } = options
  if (typeof given !== 'string') return { settings: () => ({ file: '', single: single.kdl }), settingsFile: undefined }
  const file = resolve(shell.cwd, given)
  if (!existsSync(file)) return `${file} does not exist.`
  return { settings: () => ({ file: readFileSync(file, 'utf8'), single: single.kdl }), settingsFile: file }
}

async function portOf (given: OptionValues[string], option: string): Promise<number | undefined | string> {
  if (typeof given !== 'string') return undefined
  if (!/^\d{1,5}$/.test(given) || Number(given) > 65_535) return `${option} takes a number from 0 to 65535, not ${JSON.stringify(given)}.`
  const why = await whyNotFree(Number(given))
  return why === undefined ? Number(given) : `${option}: nothing can listen on 127.0.0.1:${given} (${why}); 0 takes a free port.`
}

/** As the system calls it. */
async function whyNotFree (port: number): Promise<string | undefined> {
  const { createServer } = await import('node:net')
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code === 'EADDRINUSE' ? 'it is in use' : code ?? 'refused'))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(undefined)))
  })
}
