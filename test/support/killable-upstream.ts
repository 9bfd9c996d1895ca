import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { TestContext } from 'node:test'
import { deadPort } from './upstream.ts'

export interface KillableUpstream {
  readonly port: number
  /** As nobody expects it, and at once. */
  kill (): Promise<void>
}

/** Answers "ok" to everything, after some milliseconds. */
const program = `
  const server = require('node:http').createServer((incoming, response) => {
    incoming.resume()
    incoming.on('end', () => setTimeout(() => response.end('ok'), 5))
  })
  server.keepAliveTimeout = 60_000
  server.listen(Number(process.argv[1]), '127.0.0.1', () => console.log(server.address().port))
`

/** A server in a process of its own; on a port that stays its own while it is away. */
export async function killableUpstream (t: TestContext, port?: number): Promise<KillableUpstream> {
  const child = spawn(process.execPath, ['-e', program, String(port ?? await deadPort())], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  t.after(() => { child.kill('SIGKILL') })
  const [text] = await once(child.stdout, 'data') as [Buffer]
  return {
    port: Number(text.toString()),
    async kill () {
      child.kill('SIGKILL')
      await exited
    },
  }
}
