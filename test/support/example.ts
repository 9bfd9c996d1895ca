import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { WebSocket } from 'ws'
import type { Applications, Running } from '../../examples/expectation.ts'
import { folderWith } from './folder.ts'
import { fromRoot } from './paths.ts'
import { missingForPython } from './python.ts'
import type { Answer, RequestInit } from './request.ts'
import { startSentinel } from './sentinel.ts'
import { deadPort } from './upstream.ts'

/** The configuration of an example as it is written, but for addresses, files that it has elsewhere and programs. */
export function adapted (folder: string, portOf: (port: string) => number, certificates = 'certs'): string {
  const text = readFileSync(fromRoot('examples', folder, 'sentinel.kdl'), 'utf8')
  return text
    .replace(/(listener "[^"]+" \{\s*address )"[^"]+"/g, '$1"127.0.0.1:0"')
    .replace(/(target (?:\{ address )?)"[^"]+:(\d+)"/g, (_, before: string, port: string) => `${before}"127.0.0.1:${portOf(port)}"`)
    .replace(/(metrics \{\s*address )"[^"]+"/g, '$1"127.0.0.1:0"')
    .replace(/path "\/tmp\/[^"]+\.sock"/g, 'path "agent.sock"')
    .replace(/"certs\//g, `"${certificates}/`)
    .replace(/root "([^"/][^"]*)"/g, (_, file: string) => `root ${JSON.stringify(fromRoot('examples', folder, file))}`)
    .replace(/script "([^"]+)"/g, (_, file: string) => `script ${JSON.stringify(fromRoot('examples', folder, file))}`)
    .replace(/command "(\/usr\/bin\/python3)" "([^"]+)"/g, (_, program: string, file: string) => `command "${program}" ${JSON.stringify(fromRoot('examples', folder, file))}`)
    .replace(/command "node" "([^"]+)"/g, (_, file: string) => `command ${JSON.stringify(process.execPath)} ${JSON.stringify(fromRoot('examples', folder, file))}`)
    .concat(/metrics \{/.test(text) ? '' : '\nobservability { metrics { address "127.0.0.1:0" } }\n')
}

/** Why an example cannot run here. */
export function missingFor (folder: string): string | undefined {
  const text = readFileSync(fromRoot('examples', folder, 'sentinel.kdl'), 'utf8')
  if (text.includes('python3')) return missingForPython()
  if (!text.includes('"certs/')) return undefined
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' })
    return undefined
  } catch {
    return 'openssl is not installed'
  }
}

export interface RunningExample extends Running {
  readonly request: (path: string, init?: RequestInit) => Promise<Answer>
}

/** An example with its own applications, each a process. */
export async function runExample (t: TestContext, folder: string, applications: Applications): Promise<RunningExample> {
  const ports = new Map<string, number>()
  const processes = new Map<string, ChildProcess>()
  const start = async (name: string): Promise<void> => {
    const port = ports.get(String(applications[name])) ?? await deadPort()
    ports.set(String(applications[name]), port)
    const child = spawn(process.execPath, [fromRoot('examples', 'application.mjs'), String(port), name], { stdio: ['ignore', 'pipe', 'inherit'] })
    processes.set(name, child)
    await once(child.stdout, 'data')
  }
  const kill = async (name: string): Promise<void> => {
    const child = processes.get(name)
    if (child === undefined) throw new Error(`the example has no application '${name}'`)
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }
  t.after(() => { for (const child of processes.values()) child.kill('SIGKILL') })
  await Promise.all(Object.keys(applications).map(start))

  const certificates = join(folderWith(t), 'certs')
  const usesTls = readFileSync(fromRoot('examples', folder, 'sentinel.kdl'), 'utf8').includes('"certs/')
  const [, host = 'localhost'] = new RegExp(`make-certificate.sh examples/${folder} '?([^\\s']+)`).exec(readFileSync(fromRoot('examples', folder, 'README.md'), 'utf8')) ?? []
  if (usesTls) execFileSync('sh', [fromRoot('examples', 'make-certificate.sh'), join(certificates, '..'), host], { stdio: 'ignore' })
  const sentinel = await startSentinel(t, adapted(folder, (port) => ports.get(port)!, certificates))

  const named = (name: string | undefined): string => name ?? host.replace('*', 'any')
  const tls = (name?: string): Pick<RequestInit, 'tls'> => usesTls ? { tls: { ca: readFileSync(join(certificates, 'server.crt')), servername: named(name) } } : {}
  const ask = (path: string, init: RequestInit = {}): Promise<Answer> => sentinel.request(path, { ...tls(init.headers?.['host'] as string | undefined ?? init.host), ...init })
  return {
    request: ask,
    get: (path, name) => ask(path, name === undefined ? {} : { host: name }),
    start,
    kill,
    async say (name, ...texts) {
      const client = new WebSocket(`${usesTls ? 'wss' : 'ws'}://127.0.0.1:${sentinel.port()}/`, {
        headers: { host: name }, ...usesTls ? { ca: readFileSync(join(certificates, 'server.crt')), servername: name } : {},
      })
      t.after(() => client.terminate())
      await once(client, 'open')
      for (const text of texts) client.send(text)
      const [data] = await once(client, 'message') as [Buffer]
      client.close()
      return data.toString('utf8')
    },
  }
}
