import type { TestContext } from 'node:test'
import type { ToolScript } from './agents/tooled.ts'
import { eventually } from './eventually.ts'
import { fromDist } from './paths.ts'
import { startRecordingUpstream, type Received, type RecordingUpstream } from './recording-upstream.ts'
import type { Answer } from './request.ts'
import { patient, siteWith } from './scripted-agent.ts'
import { startSentinel, type LogRecord, type RunningSentinel } from './sentinel.ts'
import type { ServerResponse } from 'node:http'

export type { ToolScript, ToolStep } from './agents/tooled.ts'

/** KDL of a managed agent that does with tools what the `x-tools` header of each request says. `settings` are more lines of the agent block. */
export function tooledAgent (id: string, settings = ''): string {
  return `agent ${JSON.stringify(id)} { command ${JSON.stringify(process.execPath)} ${JSON.stringify(fromDist('test', 'support', 'agents', 'tooled.js'))}\n${patient(settings)} }`
}

export interface ToolSite {
  readonly upstream: RecordingUpstream
  readonly sentinel: RunningSentinel
  /** Sends JSON; other types of content by `headers`. */
  readonly post: (body: unknown, script?: ToolScript, more?: { readonly path?: string, readonly headers?: Readonly<Record<string, string>>, readonly raw?: string | Buffer }) => Promise<Answer>
  /** What agents were asked about requests to this path, when it is so many questions. */
  readonly asked: (path: string, count: number) => Promise<readonly LogRecord[]>
}

/** A real proxy with one agent that is asked about tools, before a server that answers as `answer` says. */
export async function startToolSite (
  t: TestContext, answer: (request: Received, response: ServerResponse) => void, { agent = '', more = '', agents = [tooledAgent('tools', agent)], names = ['tools'] }: { agent?: string, more?: string, agents?: string[], names?: string[] } = {},
): Promise<ToolSite> {
  const upstream = await startRecordingUpstream(t, answer)
  const sentinel = await startSentinel(t, siteWith(upstream.port, agents.join('\n'), names, more))
  return {
    upstream,
    sentinel,
    post: (body, script = {}, { path = '/mcp', headers = {}, raw } = {}) => sentinel.request(path, {
      method: 'POST', body: raw ?? JSON.stringify(body), headers: { 'Content-Type': 'application/json', 'x-tools': ascii(JSON.stringify(script)), ...headers },
    }),
    async asked (path, count) {
      const found = (): readonly LogRecord[] => sentinel.log.filter((record) => record['asked'] !== undefined && record['path'] === path)
      await eventually(`${count} questions about ${path}`, () => found().length >= count)
      return found()
    },
  }
}

/** JSON that a header field can carry. */
function ascii (text: string): string {
  return text.replace(/[^\x20-\x7e]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** Answers with JSON, of known length. */
export function json (response: ServerResponse, value: unknown, headers: Readonly<Record<string, string>> = {}): void {
  const text = typeof value === 'string' ? value : JSON.stringify(value ?? {})
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), ...headers })
  response.end(text)
}
