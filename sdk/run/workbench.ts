// The process of an agent under development: `sentinel agent dev` starts one ahead, with everything loaded but the agent, so that an edit only waits for the
// agent's own files. It serves one version of them, and ends when its last exchange is over.
import inspector from 'node:inspector'
import type { FromAgent } from '../../proto/codec/index.ts'
import type { WorkbenchNews, WorkbenchOrder } from '../../proto/workbench.ts'
import type { Log } from '../log.ts'
import { Program } from '../program.ts'
import { startServer, type RunningServer } from '../server/server.ts'
import type { EventStream } from '../server/service.ts'
import { AgentStream } from '../stream.ts'
import { tellDecisions } from './decided.ts'
import { CannotLoad, loadAgent } from './load-agent.ts'
import { ownLines } from './own-lines.ts'
import { registerHooks } from './register.ts'

/** An exchange may stand at a breakpoint for as long as somebody looks at it. */
const drainTimeoutMs = 24 * 60 * 60 * 1000

const loaded = registerHooks({ warm: true })
// All that an agent imports of the SDK, and the first import that passes the hooks: neither is to cost time when an edit waits for it.
await import('../index.ts')
// A file of CommonJS is told of by the hooks that load the first one and by `require` as well.
const files = new Set<string>()
const newFiles = (): readonly string[] => {
  for (const file of loaded.take()) files.add(file)
  return [...files]
}
let server: RunningServer | undefined

function say (news: WorkbenchNews): void {
  // Whoever asked may be gone meanwhile: then this process ends.
  process.send?.(news, undefined, undefined, () => {})
}

async function obey (order: WorkbenchOrder): Promise<void> {
  switch (order.order) {
    case 'load': return load(order)
    case 'open-inspector': return openInspector(order.port)
    case 'close-inspector':
      inspector.close()
      return say({ news: 'inspector', url: undefined })
    case 'drain':
      await server?.drain(drainTimeoutMs)
      return leave(0)
  }
}

async function load ({ file, socket, inspectPort }: WorkbenchOrder & { readonly order: 'load' }): Promise<void> {
  try {
    if (inspectPort !== undefined) openInspector(inspectPort)
    const agent = await loadAgent(file, newFiles)
    const program = new Program(agent, log)
    server = await startServer(program, { kind: 'unix', path: socket }, (send) => watchedStream(program, send))
    say({ news: 'serving', name: agent.definition.name, files: newFiles() })
  } catch (error) {
    const why = error instanceof CannotLoad ? error.message : `${file}: ${error instanceof Error ? error.stack ?? error.message : String(error)}`
    say({ news: 'failed', why, files: newFiles() })
  }
}

/** Handlers run here, whatever the agent says of threads: a debugger finds them, and they are loaded once. */
function watchedStream (program: Program, send: (message: FromAgent) => void): EventStream {
  const watch = tellDecisions((decided) => say({ news: 'decided', ...decided }))
  const stream = new AgentStream(program, (message) => {
    send(message)
    for (const reply of message.replies) watch.replied(reply)
  })
  return {
    receive (message) {
      for (const event of message.events) watch.received(event)
      stream.receive(message)
    },
    finish: (done) => stream.finish(done),
    flush: () => stream.flush(),
    close: () => stream.close(),
  }
}

function openInspector (port: number): void {
  try {
    inspector.open(port, '127.0.0.1')
    say({ news: 'inspector', url: inspector.url() })
  } catch (error) {
    say({ news: 'logged', level: 'error', text: `the inspector cannot be opened on port ${port}: ${error instanceof Error ? error.message : String(error)}` })
  }
}

const log: Log = { debug: logAs('debug'), info: logAs('info'), warn: logAs('warn'), error: logAs('error') }

function logAs (level: 'debug' | 'info' | 'warn' | 'error'): Log['info'] {
  return (fields, message = '') => {
    if (typeof fields === 'string') return say({ news: 'logged', level, text: fields })
    const { error, ...others } = fields
    const more = Object.entries(others).flatMap(([name, value]) => value === undefined ? [] : [`${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`])
    say({ news: 'logged', level, text: [message, ...more].join(' ') + (error === undefined ? '' : `\n${errorText(error)}`) })
  }
}

/** With the lines of its stack that are the author's. */
function errorText (error: unknown): string {
  if (!(error instanceof Error)) return JSON.stringify(error)
  return [`${error.name}: ${error.message}`, ...ownLines(error.stack ?? '')].join('\n')
}

function leave (code: number): void {
  server?.abandon()
  process.exit(code)
}

function crash (error: unknown): void {
  const text = `an error that nobody caught: ${error instanceof Error ? error.stack ?? error.message : String(error)}\n`
  process.stderr.write(text, () => leave(1))
}

process.on('uncaughtException', crash)
process.on('unhandledRejection', crash)
// Ctrl-C is for the one who started this.
process.on('SIGINT', () => {})
process.on('disconnect', () => leave(0))
// Nobody hears of an end that comes while the modules are loaded.
if (!process.connected) leave(0)
process.on('exit', () => server?.abandon())
process.on('message', (order) => { void obey(order as WorkbenchOrder) })
say({ news: 'warm' })
