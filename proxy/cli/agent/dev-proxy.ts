import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Problem } from '../../../config/sentinel/index.ts'
import { ask } from '../../control/index.ts'
import { packageFile } from '../../lifecycle/package-file.ts'

export interface DevProxy {
  readonly port: number
  readonly ended: Promise<void>
  /** Takes over what the file says now. Gives why it did not. */
  reload (): Promise<string | undefined>
  /** Open requests are cut off. */
  stop (): Promise<void>
}

export interface DevProxyHooks {
  /** What the proxy has to say, when it matters to the author of the agent. */
  readonly onTrouble: (text: string) => void
}

interface Line {
  readonly event?: string
  readonly level?: number
  readonly msg?: string
  readonly listeners?: ReadonlyArray<{ readonly address: string }>
  readonly method?: string
  readonly path?: string
  readonly fault?: string
  readonly detail?: string
}

const patienceMs = 10_000
const warn = 40

/** Starts a real proxy on a configuration, in a process of its own. Rejects when it does not serve, or when the agent does not take its settings. */
export async function startDevProxy (
  file: string, controlSocket: string, env: Readonly<Record<string, string | undefined>>, { onTrouble }: DevProxyHooks,
): Promise<DevProxy> {
  const main = packageFile('dist', 'proxy', 'main.js')
  const child = spawn(process.execPath, ['--import', new URL('./end-with-parent.js', import.meta.url).href, main, 'run', '--quiet', '-c', file], {
    env: { ...env }, stdio: ['ignore', 'pipe', 'pipe', 'ipc'], detached: true,
  })
  const said: string[] = []
  const refusals: string[] = []
  let isReady = false
  let ready: (port: number) => void = () => {}
  const ended = new Promise<void>((resolve) => {
    child.once('error', () => resolve())
    child.once('exit', () => resolve())
  })
  const serves = new Promise<number>((resolve) => { ready = resolve })
  let isStopping = false
  createInterface({ input: child.stderr! }).on('line', (text) => {
    const line = parsed(text)
    if (line === undefined) said.push(text)
    else if (line.event === 'ready') ready(portOf(line))
    else if (line.event === 'agent-refused' && !isReady) refusals.push(line.msg ?? text)
    else if ((line.level ?? 0) >= warn && !isStopping && !isExpected(line)) {
      if (isReady) onTrouble(line.msg ?? text)
      else said.push(line.msg ?? text)
    }
  })
  createInterface({ input: child.stdout! }).on('line', (text) => {
    const line = parsed(text)
    // What the agent itself called an error was told with its place.
    if (line?.fault === undefined || line.fault === 'AGENT_ERROR' || isStopping) return
    onTrouble(`${line.method ?? ''} ${line.path ?? ''}: ${line.fault}${line.detail === undefined ? '' : ` (${line.detail})`}`)
  })
  const stop = async (): Promise<void> => {
    isStopping = true
    child.kill('SIGQUIT')
    const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs)
    await ended
    clearTimeout(timer)
  }
  const port = await Promise.race([serves, ended.then(() => { throw new Error(`the proxy does not start:\n${said.join('\n')}`) })])
  if (refusals.length > 0) {
    await stop()
    throw new Error(refusals.join('\n'))
  }
  isReady = true
  for (const text of said) onTrouble(text)
  return {
    port,
    ended,
    async reload () {
      const { status, body } = await ask([controlSocket], { method: 'POST', path: '/reload' })
      if (status === 200) return undefined
      const { error, problems = [] } = body as { readonly error?: string, readonly problems?: readonly Problem[] }
      const errors = problems.filter(({ severity }) => severity === 'error')
      return errors.length > 0 ? errors.map(placed).join('\n') : error ?? `the proxy answered ${status}`
    },
    stop,
  }
}

function placed ({ message, hint, position: { file, line, column } }: Problem): string {
  return `${file}:${line}:${column}: ${message}${hint === undefined ? '' : ` (${hint})`}`
}

/** An agent that comes and goes is what this is about; what it refuses is told with the reload that fails. */
function isExpected ({ event = '' }: Line): boolean {
  return event === 'agent-state' || event === 'reload-failed' || event === 'agent-refused'
}

function parsed (text: string): Line | undefined {
  if (!text.startsWith('{')) return undefined
  try {
    return JSON.parse(text) as Line // The proxy wrote it.
  } catch {
    return undefined
  }
}

function portOf ({ listeners = [] }: Line): number {
  const [{ address } = { address: '' }] = listeners
  return Number(address.slice(address.lastIndexOf(':') + 1))
}
