import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { fromDist } from './paths.ts'

export const agentToken = 'a-token-for-tests-0123456789'

export interface ReverseAgent {
  readonly process: ChildProcess
  readonly output: () => string
  readonly kill: (signal?: NodeJS.Signals) => Promise<void>
}

/** An agent in a process of its own that connects to the proxy; the scripted one unless another program is given. */
export function startReverseAgent (t: TestContext, to: string, options: { token?: string | undefined, args?: readonly string[], program?: string, id?: string } = {}): ReverseAgent {
  const { token = agentToken, args = [], program = fromDist('test', 'support', 'agents', 'scripted.js'), id = 'guard' } = options
  const child = spawn(process.execPath, [program, '--connect', to, '--agent-id', id, ...args], {
    env: { PATH: process.env['PATH'], ...token === '' ? {} : { SENTINEL_CONNECT_TOKEN: token } }, stdio: ['ignore', 'ignore', 'pipe'],
  })
  let output = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => { output += text })
  const kill = async (signal: NodeJS.Signals = 'SIGKILL'): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill(signal)
    await exited
  }
  t.after(() => kill())
  return { process: child, output: () => output, kill }
}

/** What the proxy answers to these bytes, until it closes or `until` is in it. */
export async function say (to: { readonly path: string } | { readonly host: string, readonly port: number }, text: string, until = '\r\n\r\n'): Promise<string> {
  const socket = connect('path' in to ? { path: to.path } : to)
  let answer = ''
  socket.on('error', () => {})
  socket.setEncoding('latin1')
  if (text !== '') socket.write(text)
  await new Promise<void>((resolve) => {
    socket.on('data', (bytes: string) => {
      answer += bytes
      if (answer.includes(until)) resolve()
    })
    socket.on('close', () => resolve())
  })
  socket.destroy()
  return answer
}

export function connectHead (agent: string, token: string | undefined): string {
  return [
    'GET /sentinel.agent.v1/connect HTTP/1.1', 'Host: proxy', 'Connection: Upgrade', 'Upgrade: sentinel-agent', `Sentinel-Agent: ${agent}`,
    ...token === undefined ? [] : [`Authorization: Bearer ${token}`], '', '',
  ].join('\r\n')
}

export function tokenFile (folder: string, token: string): string {
  const file = join(folder, 'token')
  writeFileSync(file, `${token}\n`, { mode: 0o600 })
  return file
}
