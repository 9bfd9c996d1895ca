import type { Loaded } from '../../config/sentinel/index.ts'
import { effectiveConfig } from '../../config/sentinel/index.ts'
import { effectiveEntries } from '../../config/schema/index.ts'
import type { StatusJson } from '../admin/status.ts'
import type { MaybePromise } from '../pipeline/body.ts'
import type { Page, PageName } from './seam.ts'

interface PageFacts {
  readonly status: StatusJson
  readonly state: StatusJson['state']
  /** What the running configuration said. */
  readonly loaded: Pick<Loaded, 'nodes' | 'sources' | 'absenceCounts'> | undefined
  readonly metrics: { readonly contentType: string, text (): MaybePromise<string> }
}

/** What the proxy as a whole says of itself. */
export async function pageOf (name: PageName, { status, state, loaded, metrics }: PageFacts): Promise<Page> {
  switch (name) {
    case 'status': return json(200, status)
    case 'ready': return state === 'running' ? json(200, { status: 'ready' }) : json(503, { status: state === 'draining' ? 'draining' : 'not ready' })
    case 'metrics': return { status: 200, type: metrics.contentType, body: await metrics.text() }
    case 'upstreams': return json(200, { upstreams: status.upstreams })
    case 'config': return json(200, { file: status.config.file, version: status.config.version, settings: settingsOf(loaded) })
  }
}

/** As `sentinel config dump --json`: secrets are withheld, and what came from the environment is told by its name. */
function settingsOf (loaded: PageFacts['loaded']): readonly object[] {
  if (loaded === undefined) throw new Error('nobody kept what the running configuration said')
  return effectiveEntries(effectiveConfig(loaded)).map(({ at, ...entry }) =>
    ({ ...entry, from: at === undefined ? 'default' : { file: at.file, line: at.line, column: at.column } }))
}

function json (status: number, value: object): Page {
  return { status, type: 'application/json', body: `${JSON.stringify(value, null, 2)}\n` }
}
